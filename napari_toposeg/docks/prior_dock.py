"""The dock in which the template is chosen and placed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QComboBox, QFileDialog, QFormLayout, QHBoxLayout, QPushButton

from napari_toposeg.docks.adjustment_panel import AdjustmentPanel
from napari_toposeg.docks.box_drawing import BoxDrawing
from napari_toposeg.docks.display import voxels_of_layer
from napari_toposeg.docks.dock import Dock, heading, quiet, rule
from napari_toposeg.docks.gallery import PriorGallery
from napari_toposeg.docks.objects_panel import ObjectsPanel
from napari_toposeg.docks.placement_panel import PlacementPanel, Way
from napari_toposeg.docks.places_drawing import PointsDrawing, StrokeDrawing
from napari_toposeg.docks.words import volume_words
from napari_toposeg.formats import read_prior
from napari_toposeg.frame import Box
from napari_toposeg.priors import Placement, Prior

if TYPE_CHECKING:
    from napari import Viewer

_MASKS = "Masks (*.nii *.nii.gz *.png *.tif *.tiff)"


class PriorDock(Dock):
    """Image, gallery of priors, placement."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        workspace = self.workspace
        self._custom: list[Prior] = []
        self.images = QComboBox()
        self.images.setToolTip("The image that is segmented.")
        self.extent = quiet()
        self.objects = ObjectsPanel(workspace)
        self.another = QPushButton("Another object")
        self.another.setToolTip("Segments several objects at once, each with a shape and a place of its own.")
        self.gallery = PriorGallery(workspace)
        self.load_file = QPushButton("Own mask…")
        self.load_file.setToolTip("The shape of any binary mask becomes the template.")
        self.load_folder = QPushButton("Folder…")
        self.load_folder.setToolTip("The mean shape of all masks in a folder becomes the template.")
        self.drawing = BoxDrawing(workspace, self)
        self.points = PointsDrawing(workspace, self)
        self.stroke = StrokeDrawing(workspace, self)
        self.placement = PlacementPanel(self.drawing, self.points, self.stroke)
        self.adjustment = AdjustmentPanel(workspace)
        self._wanted, self._box_follows = 0, False
        self._object = workspace.session.chosen_number
        self._place_by: dict[Way, Callable[[], None]] = {
            Way.BOX: self._place_in_drawn_box,
            Way.POINTS: self._place_at_points,
            Way.STROKE: self._place_along_stroke,
            Way.LABEL: self._place_on_layer_again,
            Way.IMAGE: self._place_in_image,
        }
        self.where = quiet()
        self._lay_out()
        self._listen()
        self._show_images()
        self._show_volume()
        self._show_placement()
        self._show_object()

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(self.images, 1)
        row.addWidget(self.another)
        form.addRow("Image", row)
        form.addRow("", self.extent)
        form.setVerticalSpacing(2)
        self.rows.addLayout(form)
        self.rows.addWidget(self.objects)
        row = QHBoxLayout()
        row.addWidget(heading("Which shape does the organ have?"), 1)
        row.addWidget(self.load_file)
        row.addWidget(self.load_folder)
        self.rows.addLayout(row)
        self.rows.addWidget(self.gallery, 1)
        self.rows.addWidget(rule())
        self.rows.addWidget(heading("Where does the template go?"))
        self.rows.addWidget(self.placement)
        self.rows.addWidget(self.where)
        self.rows.addWidget(self.adjustment)

    def _listen(self) -> None:
        workspace = self.workspace
        self.images.activated.connect(self._choose_image)
        self.gallery.chosen.connect(self._choose_prior)
        self.load_file.clicked.connect(self._ask_for_file)
        self.load_folder.clicked.connect(self._ask_for_folder)
        self.drawing.rested.connect(self._place_in_box)
        self.points.changed.connect(lambda: self._drawn(Way.POINTS))
        self.stroke.changed.connect(lambda: self._drawn(Way.STROKE))
        self.another.clicked.connect(self.objects.add)
        self.placement.changed.connect(self._place)
        self.placement.asked_for_layer.connect(self._place_on_layer)
        workspace.signals.volume.connect(self._show_volume)
        workspace.signals.prior.connect(self._show_prior)
        workspace.signals.placement.connect(self._show_placement)
        for signal in (workspace.signals.objects, workspace.signals.volume, workspace.signals.running):
            signal.connect(self._show_object)
        layers = workspace.viewer.layers.events
        for event in (layers.inserted, layers.removed, layers.reordered, layers.renamed):
            event.connect(self._show_images)

    # What there is

    def _show_images(self, event: Any = None) -> None:
        workspace = self.workspace
        self.images.clear()
        for layer in workspace.images():
            self.images.addItem(layer.name)
        image = workspace.image
        if image is not None:
            self.images.setCurrentText(image.name)
        else:
            self.images.setCurrentIndex(-1)
        self.placement.show_layers([layer.name for layer in workspace.masks()])

    def _show_volume(self, _: object = None) -> None:
        volume = self.workspace.session.volume
        self.extent.setText(volume_words(volume) if volume is not None else "Open one by File > Open, or drop it here.")
        self._show_images()
        self._show_gallery()

    def _show_gallery(self) -> None:
        session = self.workspace.session
        fitting = [prior for prior in self._custom if session.volume is None or prior.ndim == session.volume.ndim]
        self.gallery.show_priors([*session.priors(), *fitting], session.prior)

    def _show_prior(self, prior: Prior | None) -> None:
        if prior is not None and prior not in self.gallery.priors:
            if prior not in self._custom:
                self._custom.append(prior)
            self._show_gallery()
        self.gallery.mark(prior)
        self.placement.show_axis(prior is not None and prior.has_axis and prior.ndim == 3)

    def _show_placement(self, placement: Placement | None = None) -> None:
        session = self.workspace.session
        self.placement.show_axis(session.prior is not None and session.prior.has_axis and session.prior.ndim == 3)
        volume, region = session.volume, session.region
        if placement is None or volume is None or region is None:
            self.where.setText("")
            return
        self._let_box_follow()
        sizes = " × ".join(str(high - low) for low, high in region)
        self.where.setText(f"Looks at {sizes} voxels around the template.")

    def _show_object(self, _: object = None) -> None:
        """What is drawn belongs to an object: where another one is chosen, its box is shown, and no points or lines."""
        session = self.workspace.session
        self.another.setVisible(not session.several)
        self.another.setEnabled(session.volume is not None and not session.running)
        if session.chosen_number == self._object:
            return
        self._object = session.chosen_number
        self._wanted += 1  # what still waits was meant for the object before
        self.points.forget()
        self.stroke.forget()
        within = None if session.site is None else session.site.within
        if within is None:
            self.drawing.forget()
        else:
            self.drawing.set_box(within, place=False)
            self.drawing.show(self.placement.way is Way.BOX)

    def _let_box_follow(self) -> None:
        """The rectangle comes along with a template that was placed in it and then moved, and back again."""
        session = self.workspace.session
        follows, self._box_follows = session.adjusted or self._box_follows, session.adjusted
        if follows and self.placement.way is Way.BOX and session.site is not None and session.site.within is not None:
            self.drawing.follow_box(session.site.within)

    # What a person does

    def _choose_image(self, number: int) -> None:
        name = self.images.itemText(number)
        self.workspace.use_image(next((layer for layer in self.workspace.images() if layer.name == name), None))

    def _choose_prior(self, prior: Prior) -> None:
        session = self.workspace.session
        if self.placement.way in (Way.BOX, Way.IMAGE):
            with self.workspace.telling():
                session.choose_prior(prior)
                self._place_first()
        else:
            # It is placed like the one before: bending one along a stroke takes a while.
            self._in_compute_thread(lambda: session.choose_prior(prior), then=self._place_first)

    def _place_first(self) -> None:
        if self.workspace.session.placement is None:
            self._place()

    def _ask_for_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "A mask whose shape is the template", "", _MASKS)
        if path:
            self.load_prior(path)

    def _ask_for_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "A folder of masks whose mean shape is the template")
        if path:
            self.load_prior(path)

    def load_prior(self, path: str) -> None:
        """Take the shape of a mask, or the mean shape of a folder of masks, as the template."""
        self.workspace.later(lambda: read_prior(path), self._choose_prior, owner=self)

    def _place(self) -> None:
        """Place the template again, in the way that is chosen, where enough is known for it."""
        session = self.workspace.session
        if session.volume is None or session.prior is None:
            return
        self._place_by[self.placement.way]()

    def _place_in_drawn_box(self) -> None:
        box = self.drawing.box
        if box is not None:
            self._place_in_box(box)

    def _place_in_image(self) -> None:
        self._wanted += 1
        with self.workspace.telling():
            self.workspace.session.place_in_image(axis=self.placement.axis_name)

    def _place_on_layer_again(self) -> None:
        if self.workspace.session.placement is not None and self.placement.layers.count():
            self._place_on_layer()

    def _in_compute_thread(self, place: Callable[[], object], *, then: Callable[[], None] = lambda: None) -> None:
        """Place, where that takes more than a moment; only the newest of what still waits is done."""
        session = self.workspace.session
        self._wanted += 1
        number, volume = self._wanted, session.volume

        def work() -> bool:
            if number != self._wanted or session.volume is not volume:
                return False
            place()
            return True

        self.workspace.later(work, lambda done: then() if done else None, owner=self)

    def _drawn(self, way: Way) -> None:
        """What was drawn for one way says nothing where another is chosen."""
        if self.placement.way is way:
            self._place_by[way]()

    def _place_at_points(self) -> None:
        session, panel, points = self.workspace.session, self.placement, self.points
        if not self._can_place(points.enough, "The points are"):
            return
        places, margin, axis = points.places, panel.margin_or_none, panel.axis_name
        self._in_compute_thread(lambda: session.place_at_points(places, margin=margin, axis=axis))

    def _place_along_stroke(self) -> None:
        session, panel, stroke = self.workspace.session, self.placement, self.stroke
        if not self._can_place(stroke.enough, "The line is"):
            return
        places, radius, margin = stroke.places, panel.radius_or_none, panel.margin_or_none
        self._in_compute_thread(lambda: session.place_along_stroke(places, radius=radius, margin=margin))

    def _can_place(self, drawn: bool, what: str) -> bool:
        """Whether enough is drawn for a chosen prior; where only that is missing, it is said."""
        if drawn and self.workspace.session.prior is None:
            self.workspace.signals.said.emit(f"{what} drawn. Now choose the shape that the organ has.")
            return False
        return drawn

    def _place_in_box(self, box: Box) -> None:
        session = self.workspace.session
        if not self._can_place(True, "The box is"):
            return
        self._wanted += 1
        with self.workspace.telling():
            session.place_in_box(box, margin=self.placement.margin_or_none, axis=self.placement.axis_name)

    def _place_on_layer(self) -> None:
        session = self.workspace.session
        name, label = self.placement.layers.currentText(), self.placement.label.value()
        layer = next((layer for layer in self.workspace.masks() if layer.name == name), None)
        image = self.workspace.image
        if layer is None or image is None:
            return
        margin, axis = self.placement.margin_or_none, self.placement.axis_name
        with self.workspace.telling():
            labels = voxels_of_layer(layer, image)

            def place() -> None:
                # Counting through a whole volume of labels takes a while.
                session.place_on_mask(labels == label if label else labels != 0, margin=margin, axis=axis)

            self._in_compute_thread(place)

"""The dock in which the template is chosen and placed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QComboBox, QFileDialog, QFormLayout, QHBoxLayout, QPushButton

from napari_toposeg.docks.box_drawing import BoxDrawing
from napari_toposeg.docks.display import voxels_of_layer
from napari_toposeg.docks.dock import Dock, heading, quiet, rule
from napari_toposeg.docks.gallery import PriorGallery
from napari_toposeg.docks.placement_panel import WAYS, PlacementPanel
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
        self.gallery = PriorGallery(workspace)
        self.load_file = QPushButton("Own mask…")
        self.load_file.setToolTip("The shape of any binary mask becomes the template.")
        self.load_folder = QPushButton("Folder…")
        self.load_folder.setToolTip("The mean shape of all masks in a folder becomes the template.")
        self.drawing = BoxDrawing(workspace, self)
        self.placement = PlacementPanel(self.drawing)
        self.where = quiet()
        self._lay_out()
        self._listen()
        self._show_images()
        self._show_volume()
        self._show_placement()

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Image", self.images)
        form.addRow("", self.extent)
        form.setVerticalSpacing(2)
        self.rows.addLayout(form)
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

    def _listen(self) -> None:
        workspace = self.workspace
        self.images.activated.connect(self._choose_image)
        self.gallery.chosen.connect(self._choose_prior)
        self.load_file.clicked.connect(self._ask_for_file)
        self.load_folder.clicked.connect(self._ask_for_folder)
        self.drawing.rested.connect(self._place_in_box)
        self.placement.changed.connect(self._place)
        self.placement.asked_for_layer.connect(self._place_on_layer)
        workspace.signals.volume.connect(self._show_volume)
        workspace.signals.prior.connect(self._show_prior)
        workspace.signals.placement.connect(self._show_placement)
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
        sizes = " × ".join(str(high - low) for low, high in region)
        self.where.setText(f"Looks at {sizes} voxels around the template.")

    # What a person does

    def _choose_image(self, number: int) -> None:
        name = self.images.itemText(number)
        self.workspace.use_image(next((layer for layer in self.workspace.images() if layer.name == name), None))

    def _choose_prior(self, prior: Prior) -> None:
        with self.workspace.telling():
            self.workspace.session.choose_prior(prior)
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
        if self.placement.way == WAYS[0]:
            box = self.drawing.box
            if box is not None:
                self._place_in_box(box)
        elif self.placement.way == WAYS[2]:
            with self.workspace.telling():
                session.place_in_image(axis=self.placement.axis_name)
        elif session.placement is not None and self.placement.layers.count():
            self._place_on_layer()

    def _place_in_box(self, box: Box) -> None:
        session = self.workspace.session
        if session.prior is None:
            self.workspace.signals.said.emit("The box is drawn. Now choose the shape that the organ has.")
            return
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
                session.place_on_mask(labels == label if label else labels != 0, margin=margin, axis=axis)

            # Counting through a whole volume of labels takes a while.
            self.workspace.later(place, lambda _: None, owner=self)

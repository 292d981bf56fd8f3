"""What ships with the code and is not code: priors' definitions, pictures, weights with their cards."""

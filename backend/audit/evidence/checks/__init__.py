"""The checks of a bundle, each over a part of it. They read the file alone and name the first thing that is wrong."""

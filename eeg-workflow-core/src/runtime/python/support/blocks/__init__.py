"""What modules of blocks are written with. Modules themselves are sub-packages of this package."""

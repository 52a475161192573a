// Carries the precompiled header that the engine's targets share.

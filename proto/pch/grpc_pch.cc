// Carries the precompiled header that the control plane's targets share.

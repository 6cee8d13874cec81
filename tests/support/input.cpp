// Nothing but the precompiled header of tests without LibTorch.

package peerconf

func (b *builder) overlaps() error { return nil }

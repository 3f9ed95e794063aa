package ikev1

// Opened reports that the peer has started the SA and sent nothing after message 1,
// so that nothing shows that it is where it says: it has not sent back our cookie.
func (sa *SA) Opened() bool {
	return !sa.initiator && (sa.state == refused || sa.state == awaits3)
}

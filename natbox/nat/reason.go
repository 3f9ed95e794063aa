package nat

// reason is why a packet ends here, or a mapping is not made.
type reason uint8

const (
	none reason = iota
	malformed
	noMapping
	filtered
	noSession
	outOfWindow
	noPort
	hostFull
	tableFull
	sessionTaken
	hairpinOff
	queriesOff
	icmpDropped
	errorsOff
	errorFragmented
	badError
	noQuoted
	espDropped
	ahDropped
	otherDropped
	otherClient
	noClient
	otherWaits
	nobodyWaits
	fragmentsOff
	fragmentEarly
	fragmentsFull
	fragmentStopped
	fragmentLate
	reasons
)

var reasonText = [reasons]string{
	malformed:       "not a whole IPv4 packet, or its transport header is cut",
	noMapping:       "no mapping has this outside endpoint",
	filtered:        "the mapping does not let this remote endpoint in",
	noSession:       "a TCP segment of no connection",
	outOfWindow:     "a TCP segment outside the window",
	noPort:          "no outside port is free",
	hostFull:        "the inside host has as many mappings or sessions as it may",
	tableFull:       "the table is full",
	sessionTaken:    "the inside endpoint already speaks with this remote endpoint by another mapping",
	hairpinOff:      "no hairpinning",
	queriesOff:      "ICMP queries are not let out",
	icmpDropped:     "an ICMP message that is neither query nor error, or an answer that nobody asked for",
	errorsOff:       "ICMP errors are not translated",
	errorFragmented: "an ICMP error in fragments",
	badError:        "an ICMP error with a bad checksum, or a bad quote",
	noQuoted:        "an ICMP error about a packet that no mapping has",
	espDropped:      "ESP is not let through",
	ahDropped:       "AH is not let through",
	otherDropped:    "this protocol is not let through",
	otherClient:     "another inside host has this protocol with the remote address",
	noClient:        "no inside host has this protocol with the remote address",
	otherWaits:      "another inside host waits for its first packet from the peer",
	nobodyWaits:     "an unknown SPI, and no inside host waits for one of the peer's",
	fragmentsOff:    "a fragment",
	fragmentEarly:   "a fragment before the first one of its datagram",
	fragmentsFull:   "too many fragments wait for their first",
	fragmentStopped: "a fragment of a datagram whose first fragment was dropped",
	fragmentLate:    "a fragment whose first one did not come in time",
}

func (r reason) String() string { return reasonText[r] }

// refuses says whether the sender should hear of it: RFC 5508, REQ-8.
func (r reason) refuses() bool {
	switch r {
	case noPort, hostFull, tableFull, queriesOff, espDropped, ahDropped, otherDropped, otherClient, otherWaits:
		return true
	}
	return false
}

// leaves says whether a packet from the outside may be for the box itself.
func (r reason) leaves() bool { return r == noMapping || r == noQuoted }

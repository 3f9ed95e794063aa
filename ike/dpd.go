package ike

import (
	"fmt"
	"net/netip"
	"time"
)

// DPD is dead peer detection, RFC 3706. No version of Windows has it for IKEv1 (MS-IKEE, product note 33).
type DPD struct {
	// Enabled has us send the vendor ID, without which nobody may ask us, and answer who asks.
	Enabled bool
	// Idle is the worry metric of RFC 3706, Section 5: a peer is asked that has been silent for so
	// long, under IPsec SAs and under IKE, while traffic went to it (Section 5.5). 0: we never ask.
	Idle time.Duration
	// Retry is how long an answer is awaited before the peer is asked again. RFC 3706 names no
	// number. 0: 2 s.
	Retry time.Duration
	// Tries is how often it is asked before it is dead. 0: 5.
	Tries int
}

// Wait is how long an answer is awaited.
func (d DPD) Wait() time.Duration {
	if d.Retry == 0 {
		return 2 * time.Second
	}
	return d.Retry
}

// Limit is how often a peer is asked.
func (d DPD) Limit() int {
	if d.Tries == 0 {
		return 5
	}
	return d.Tries
}

func (d DPD) check() error {
	switch {
	case d.Idle < 0:
		return fmt.Errorf("ike: Config.DPD.Idle is %v, must not be negative", d.Idle)
	case d.Retry < 0:
		return fmt.Errorf("ike: Config.DPD.Retry is %v, must not be negative", d.Retry)
	case d.Tries < 0:
		return fmt.Errorf("ike: Config.DPD.Tries is %d, must not be negative", d.Tries)
	}
	return nil
}

// dpdID is the vendor ID of version 1.0, RFC 3706, Section 5.1.
var dpdID = []byte{0xaf, 0xca, 0xd7, 0x13, 0x68, 0xa1, 0xf1, 0xc9, 0x6b, 0x86, 0x96, 0xfc, 0x77, 0x57, 0x01, 0x00}

func (d DPD) vendorID() []byte {
	if !d.Enabled {
		return nil
	}
	return dpdID
}

// Traffic tells when a packet last came from a peer, with the port that it has for IKE, and went to it under a pair of
// IPsec SAs; zero times: never, as far as is remembered.
type Traffic func(remote netip.AddrPort) (in, out time.Time)

package natbox

import (
	"time"
)

// Crossing is a valid IPv4 or IPv6 packet, or a fragment, on its way through the device.
type Crossing struct {
	Packet []byte // only to be read, and during the call alone
	From   string // the segment that it came from; "" for the device's own packets
	To     string // the segment that it leaves to; "" for packets to the device itself
}

// Filter decides which packets cross. It is asked between the translations of a NAT: it
// sees the addresses of the inside, both ways, as a filter does in netfilter's FORWARD.
type Filter interface {
	// Judge is asked about each packet once. now never goes back.
	Judge(now time.Duration, c Crossing) Judgement
}

// Judgement is a filter's. The zero value lets the packet pass.
type Judgement struct {
	Why        string // the packet ends here, for this reason; "" lets it pass
	Prohibited bool   // its sender is told, by ICMP: communication administratively prohibited (RFC 1812, Section 5.2.7.1; RFC 4443, Section 3.1)
}

// Observer is shown what crosses: packets that no filter has stopped, as they were
// received, with the addresses of the inside.
type Observer interface {
	Observe(now time.Duration, c Crossing)
}

// crosses asks the filters about a packet and shows it to the observers. to is nil for
// packets to the device itself. false: it ends here.
func (r *Router) crosses(o outgoing, to *iface) bool {
	if len(r.filters)+len(r.observers)+len(r.markers) == 0 {
		return true
	}
	c := Crossing{Packet: o.frame[etherHeader:], From: o.in.segment(), To: to.segment()}
	now := r.w.Now()
	for _, f := range r.filters {
		j := f.Judge(now, c)
		if j.Why == "" {
			continue
		}
		r.stopped(filtered, "firewall", o.datagram.String(), j.Why)
		if j.Prohibited {
			r.report(prohibited, o.asSent())
		}
		return false
	}
	for _, s := range r.observers {
		s.Observe(now, c)
	}
	r.mark(o, c)
	return true
}

// segment is the name of the interface's segment; nil has none.
func (i *iface) segment() string {
	if i == nil {
		return ""
	}
	return i.port.Segment().Name()
}

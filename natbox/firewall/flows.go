package firewall

import (
	"net/netip"
	"time"
)

// Flow is a state as it is looked at.
type Flow struct {
	Protocol uint8
	From, To netip.AddrPort // From began; of ICMP both ports are the identifier, and of protocols without ports 0
	State    string         // of TCP: opening, answered, established, closing
	Used     time.Duration  // last
}

// Flows are the states: by kind, and of each the one that was used longest ago first.
func (f *Firewall) Flows() (all []Flow) {
	t := f.table
	if t == nil {
		return nil
	}
	for c := range classes {
		for i := t.first[c]; i != none; i = t.flows[i].next {
			all = append(all, t.flows[i].view())
		}
	}
	return all
}

func (s *flow) view() Flow {
	low := netip.AddrPortFrom(netip.AddrFrom16(s.low).Unmap(), s.lowPort)
	high := netip.AddrPortFrom(netip.AddrFrom16(s.high).Unmap(), s.highPort)
	v := Flow{Protocol: s.proto, From: low, To: high, Used: s.used}
	if s.byHigh {
		v.From, v.To = high, low
	}
	if s.proto == protoTCP {
		v.State = s.tcp.String()
	}
	return v
}

func (s tcpState) String() string {
	switch {
	case s.class() == tcpClosing:
		return "closing"
	case s.established:
		return "established"
	case s.answered:
		return "answered"
	}
	return "opening"
}

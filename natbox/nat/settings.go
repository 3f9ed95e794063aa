package nat

import "time"

// settings are a configuration with its defaults filled in, as the table reads it.
type settings struct {
	Config
	behaviour [256]Behaviour
	timeout   [classes]time.Duration
	wellKnown bool
}

func or[T comparable](v, other T) T {
	var zero T
	if v == zero {
		return other
	}
	return v
}

func (c Config) settings() settings {
	s := settings{Config: c}
	s.behaviour[udp], s.behaviour[tcp], s.behaviour[icmp] = c.UDP, c.TCP, c.ICMP.Behaviour
	o := &c.Timeouts
	o.UDP = or(o.UDP, 5*time.Minute)
	s.wellKnown = o.UDPWellKnown != 0
	s.timeout = [classes]time.Duration{
		udpReplied: o.UDP, udpUnreplied: or(o.UDPUnreplied, o.UDP), udpWellKnown: o.UDPWellKnown,
		tcpOpening:     or(o.TCPOpening, 4*time.Minute),
		tcpEstablished: or(o.TCPEstablished, 2*time.Hour+4*time.Minute),
		tcpClosing:     or(o.TCPClosing, 4*time.Minute),
		icmpQuery:      or(o.ICMP, time.Minute),
	}
	l := &s.Limits
	l.Mappings = or(l.Mappings, 1<<20)
	l.Sessions = or(l.Sessions, 2*l.Mappings)
	l.MappingsPerHost = or(l.MappingsPerHost, l.Mappings)
	l.SessionsPerHost = or(l.SessionsPerHost, l.Sessions)
	if s.Ports.First == 0 && s.Ports.Last == 0 {
		s.Ports.First, s.Ports.Last = 1024, 65535
	}
	return s
}

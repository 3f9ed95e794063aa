package nat

import (
	"math"
	"slices"
	"time"
)

// settings are a configuration with its defaults filled in, as the table reads it.
type settings struct {
	Config
	behaviour [256]Behaviour
	known     [256]bool // remote endpoints of this protocol are known one by one
	timeout   [classes]time.Duration
	spiWait   time.Duration
	wellKnown bool // Timeouts.UDPWellKnown is there
	anyPort   bool // Preserve is not bound to First and Last
	notesIKE  bool // who speaks IKE is the client of the peer
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
	s.Outside, s.IKEPorts, s.Forwards = slices.Clone(c.Outside), slices.Clone(c.IKEPorts), slices.Clone(c.Forwards)
	s.behaviour[udp], s.behaviour[tcp], s.behaviour[icmp] = c.UDP, c.TCP, c.ICMP.Behaviour
	for proto := range s.known {
		b := s.behaviour[proto]
		s.known[proto] = proto == tcp || !ported(uint8(proto)) ||
			c.Scope == PerSession || b.Filtering != EndpointIndependent || s.sharesPorts(uint8(proto)) ||
			b.Filtering < b.Mapping // so that an answer leaves by the mapping that its question came by
	}
	for i := range s.Forwards {
		f := &s.Forwards[i]
		f.Last = or(f.Last, f.Port)
		s.known[f.Proto] = s.known[f.Proto] || f.OneWay || f.RewriteSource
	}
	o := &s.Timeouts
	s.wellKnown = o.UDPWellKnown != 0
	o.UDP = or(o.UDP, 5*time.Minute)
	s.timeout = [classes]time.Duration{
		udpReplied: o.UDP, udpUnreplied: or(o.UDPUnreplied, o.UDP), udpWellKnown: o.UDPWellKnown,
		tcpOpening:     or(o.TCPOpening, 4*time.Minute),
		tcpEstablished: or(o.TCPEstablished, 2*time.Hour+4*time.Minute),
		tcpClosing:     or(o.TCPClosing, 4*time.Minute),
		icmpQuery:      or(o.ICMP, time.Minute),
		ipsecFlow:      or(o.ESP, 10*time.Minute),
		otherFlow:      or(o.Other, 10*time.Minute),
	}
	s.spiWait = or(o.SPI, 30*time.Second)
	l := &s.Limits
	l.Mappings = or(l.Mappings, 1<<20)
	l.Sessions = or(l.Sessions, 2*l.Mappings)
	l.MappingsPerHost = or(l.MappingsPerHost, math.MaxInt)
	l.SessionsPerHost = or(l.SessionsPerHost, math.MaxInt)
	l.Held = or(l.Held, 256)
	f := &s.Fragments
	f.Timeout = or(f.Timeout, 15*time.Second)
	f.HoldEach, f.HoldTotal, f.Datagrams = or(f.HoldEach, 16), or(f.HoldTotal, 1024), or(f.Datagrams, 1024)
	if s.Ports.First == 0 && s.Ports.Last == 0 {
		s.Ports.First, s.Ports.Last, s.anyPort = 1024, 65535, true
	}
	s.Blocks.PerHost = or(s.Blocks.PerHost, 1)
	if len(s.IKEPorts) == 0 {
		s.IKEPorts = []uint16{500}
	}
	s.notesIKE = c.ESP.Mode == OneClient || c.AH.Mode == OneClient
	return s
}

// sharesPorts says whether several mappings may have one outside port, so that only
// remote endpoints tell what comes back apart.
func (s *settings) sharesPorts(proto uint8) bool {
	return s.Ports.Assignment == Preserve && (s.shares(proto) || s.Ports.Collision == Overload) ||
		proto == udp && (s.IKE == IKEKeepPort || s.IKE == IKEOneHost)
}

// shares says whether Share is for a protocol: its mappings have one remote endpoint each.
// Those of ICMP queries have only if they depend on it; else their identifiers are assigned as with Another.
func (s *settings) shares(proto uint8) bool {
	return s.Ports.Collision == Share && (proto != icmp || s.behaviour[icmp].Mapping != EndpointIndependent)
}

package nat

import "time"

const never = time.Duration(1<<63 - 1)

// class is a kind of timeout. Records of a class expire in the order in which they were
// last refreshed, because it has one timeout.
type class uint8

const (
	noTime class = iota // kept by others
	udpReplied
	udpUnreplied
	udpWellKnown
	tcpOpening
	tcpEstablished
	tcpClosing
	icmpQuery
	ipsecFlow // ESP or AH of one client
	otherFlow
	classes
)

// mapping joins an inside endpoint, and what it depends on of the remote one, with an
// outside endpoint. Of protocols without ports, the ports are 0.
type mapping struct {
	expires                  time.Duration // when class is not noTime
	inAddr, outAddr, remAddr uint32
	inPort, outPort, remPort uint16
	proto                    uint8
	class                    class
	flags                    mappingFlags
	time                     links // what each packet needs is before here
	host                     uint32
	age, ofHost              links
	sessions                 list
	made                     time.Duration
}

type mappingFlags uint8

const (
	replied  mappingFlags = 1 << iota
	outOwner              // mappingOut has it
	insider               // mappingInside has it
	pooled                // its port is of a pool
	open                  // lets all in: a server is published
	takes                 // others have its port too; what comes is for who sent last
	mute                  // others have its port too; what comes is for the first
	dying
)

func (m *mapping) inside() key  { return key{m.inAddr, m.remAddr, m.inPort, m.remPort, m.proto} }
func (m *mapping) outside() key { return key{a: m.outAddr, ap: m.outPort, proto: m.proto} }

// session is a remote endpoint of a mapping.
type session struct {
	expires                            time.Duration // when class is not noTime
	mapping                            uint32
	inAddr, outAddr, remAddr, seenAddr uint32 // seen: the remote endpoint as the inside sees it
	inPort, outPort, remPort, seenPort uint16
	class                              class
	flags                              sessionFlags
	state                              tcpState
	proto                              uint8
	window                             uint32 // number of the record
	time, ofMapping                    links
}

type sessionFlags uint8

const (
	sentOut   sessionFlags = 1 << iota // the inside has sent to it
	cameBack                           // it has sent to the inside
	outHolder                          // sessionOut has it
)

func (s *session) inside() key  { return key{s.inAddr, s.seenAddr, s.inPort, s.seenPort, s.proto} }
func (s *session) outside() key { return key{s.outAddr, s.remAddr, s.outPort, s.remPort, s.proto} }

// group is how many sessions with one remote address the inside has sent to: what
// AddressDependent filtering asks for.
type group struct{ mapping, addr, n uint32 }

func (g *group) key() key { return key{a: g.mapping, b: g.addr} }

// host is an inside host that has mappings.
type host struct {
	addr     uint32
	pool     int32 // the one that it is paired with; -1: none
	mappings list  // the one to evict first
	sessions uint32
	others   uint32   // SAs and cookies
	blocks   []uint32 // numbers of its blocks
}

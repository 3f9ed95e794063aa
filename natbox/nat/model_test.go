package nat

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// model is mapping and filtering of UDP and TCP, the slow way: lists of what happened, looked
// through from the start for each packet. It shares nothing with the table but the words.
type model struct {
	c      Config
	udp    time.Duration // the timeout
	past   []conversation
	joined []joined
	next   int // of Sequential
}

// joined is a mapping.
type joined struct {
	proto  string
	inside netip.AddrPort
	depend string // what it depends on of the remote endpoint
	port   uint16
	until  time.Duration // of PerMapping
	made   int
}

// conversation is a remote endpoint of a mapping.
type conversation struct {
	of     int // by made
	remote netip.AddrPort
	sent   bool          // by the inside
	until  time.Duration // of PerSession
}

func part(d Dependence, remote netip.AddrPort) string {
	switch d {
	case AddressDependent:
		return remote.Addr().String()
	case AddressAndPortDependent:
		return remote.String()
	}
	return ""
}

func (m *model) behaviour(proto string) Behaviour {
	if proto == "tcp" {
		return m.c.TCP
	}
	return m.c.UDP
}

func (m *model) perSession(proto string) bool { return proto == "tcp" || m.c.Scope == PerSession }

func (m *model) timeout(proto string) time.Duration {
	if proto == "tcp" {
		return 4 * time.Minute
	}
	return m.udp
}

// forget drops what has run out.
func (m *model) forget(now time.Duration) {
	var past []conversation
	for _, x := range m.past {
		j := m.find(x.of)
		if m.perSession(j.proto) && x.until > now || !m.perSession(j.proto) && j.until > now {
			past = append(past, x)
		}
	}
	m.past = past
	var kept []joined
	for _, j := range m.joined {
		alive := !m.perSession(j.proto) && j.until > now
		for _, x := range m.past {
			alive = alive || x.of == j.made
		}
		if alive {
			kept = append(kept, j)
		}
	}
	m.joined = kept
}

func (m *model) find(made int) *joined {
	for i := range m.joined {
		if m.joined[i].made == made {
			return &m.joined[i]
		}
	}
	return &joined{}
}

func (m *model) taken(proto string, port uint16) bool {
	for _, j := range m.joined {
		if j.proto == proto && j.port == port {
			return true
		}
	}
	return false
}

func (m *model) pick(proto string, want uint16) (uint16, bool) {
	first, last := int(m.c.Ports.First), int(m.c.Ports.Last)
	start := int(want)
	switch {
	case m.c.Ports.Assignment == Sequential:
		start = m.next
	case start >= first && start <= last && !m.taken(proto, want):
		return want, true
	case m.c.Ports.Collision == Refuse:
		return 0, false
	}
	if start < first || start > last {
		start = first
	}
	for i := range last - first + 1 {
		port := first + (start-first+i)%(last-first+1)
		if !m.taken(proto, uint16(port)) {
			if m.c.Ports.Assignment == Sequential {
				m.next = port + 1
			}
			return uint16(port), true
		}
	}
	return 0, false
}

// touch makes a packet of a conversation refresh what it may.
func (m *model) touch(j *joined, remote netip.AddrPort, outward, fresh bool, now time.Duration) {
	keeps := j.proto == "tcp" || m.c.Refresh == RefreshBoth || (m.c.Refresh == RefreshOutbound) == outward || fresh
	at := -1
	for i, x := range m.past {
		if x.of == j.made && x.remote == remote {
			at = i
		}
	}
	if at < 0 {
		m.past = append(m.past, conversation{of: j.made, remote: remote})
		at = len(m.past) - 1
		keeps = keeps || m.perSession(j.proto)
	}
	m.past[at].sent = m.past[at].sent || outward
	if keeps {
		j.until = now + m.timeout(j.proto)
		m.past[at].until = now + m.timeout(j.proto)
	}
}

func (m *model) out(proto string, inside, remote netip.AddrPort, now time.Duration) string {
	m.forget(now)
	// What a remote endpoint could send by a mapping is answered by it.
	for _, x := range m.past {
		if j := m.find(x.of); x.remote == remote && j.proto == proto && j.inside == inside {
			m.touch(j, remote, true, false, now)
			return fmt.Sprintf("%d", j.port)
		}
	}
	depend := part(m.behaviour(proto).Mapping, remote)
	for i := range m.joined {
		j := &m.joined[i]
		if j.proto == proto && j.inside == inside && j.depend == depend {
			m.touch(j, remote, true, false, now)
			return fmt.Sprintf("%d", j.port)
		}
	}
	port, ok := m.pick(proto, inside.Port())
	if !ok {
		return "none"
	}
	made := 1
	for _, j := range m.joined {
		made = max(made, j.made+1)
	}
	m.joined = append(m.joined, joined{proto: proto, inside: inside, depend: depend, port: port, made: made})
	m.touch(&m.joined[len(m.joined)-1], remote, true, true, now)
	return fmt.Sprintf("%d", port)
}

func (m *model) in(proto string, remote netip.AddrPort, port uint16, now time.Duration) string {
	m.forget(now)
	for i := range m.joined {
		j := &m.joined[i]
		if j.proto != proto || j.port != port {
			continue
		}
		filtering := m.behaviour(proto).Filtering
		let := filtering == EndpointIndependent
		for _, x := range m.past {
			let = let || x.of == j.made && (x.remote == remote || x.sent && part(filtering, x.remote) == part(filtering, remote))
		}
		if !let {
			return "none"
		}
		// Not by two mappings at once: nothing would tell the inside which one to answer by.
		for _, x := range m.past {
			if k := m.find(x.of); x.of != j.made && x.remote == remote && k.proto == proto && k.inside == j.inside {
				return "none"
			}
		}
		m.touch(j, remote, false, false, now)
		return j.inside.String()
	}
	return "none"
}

// The table says what the naive one says, of random packets at random times.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dep := rapid.SampledFrom([]Dependence{EndpointIndependent, AddressDependent, AddressAndPortDependent})
		c := Config{
			Outside:  addrs("203.0.113.1"),
			UDP:      Behaviour{dep.Draw(t, "mapping"), dep.Draw(t, "filtering")},
			TCP:      Behaviour{dep.Draw(t, "TCP mapping"), dep.Draw(t, "TCP filtering")},
			Refresh:  rapid.SampledFrom([]Refresh{RefreshOutbound, RefreshBoth, RefreshInbound}).Draw(t, "refresh"),
			Scope:    rapid.SampledFrom([]Scope{PerMapping, PerSession}).Draw(t, "scope"),
			Timeouts: Timeouts{UDP: 10 * time.Second, TCPOpening: 4 * time.Minute, TCPEstablished: 4 * time.Minute},
			Ports:    Ports{Assignment: rapid.SampledFrom([]Assignment{Preserve, Sequential}).Draw(t, "ports"), First: 4000, Last: 4000 + uint16(rapid.IntRange(0, 12).Draw(t, "last"))},
			TCPRules: TCPRules{Unsolicited: UnsolicitedSilent},
		}
		if c.Ports.Assignment == Preserve {
			c.Ports.Collision = rapid.SampledFrom([]Collision{Another, Refuse}).Draw(t, "collision")
		}
		n, err := New(c, rand.New(rand.NewPCG(1, 2)))
		require.NoError(t, err)
		m := &model{c: c, udp: 10 * time.Second, next: 4000}
		// Sequential goes on in each protocol by itself.
		proto := rapid.SampledFrom([]string{"udp", "tcp"}).Draw(t, "protocol")
		endpoint := func(name string, net byte) netip.AddrPort {
			a := netip.AddrFrom4([4]byte{net, 0, 0, byte(rapid.IntRange(1, 3).Draw(t, name))})
			return netip.AddrPortFrom(a, uint16(rapid.IntRange(3999, 4003).Draw(t, name+" port")))
		}
		now := time.Duration(0)
		steps := rapid.IntRange(1, 60).Draw(t, "steps")
		for range steps {
			now += rapid.SampledFrom([]time.Duration{0, 0, time.Second, 4 * time.Second, 9999 * time.Millisecond, 10 * time.Second, 2 * time.Minute}).Draw(t, "wait")
			remote := endpoint("remote", 198)
			if rapid.Bool().Draw(t, "out") {
				inside := endpoint("inside", 10)
				r := n.Outbound(now, makePacket(t, fmt.Sprintf("%s %v > %v S", proto, inside, remote)))
				got := "none"
				if r.Packets != nil {
					got = fmt.Sprintf("%d", uint16(r.Packets[0][20])<<8|uint16(r.Packets[0][21]))
				}
				require.Equal(t, m.out(proto, inside, remote, now), got, "%v: %v > %v", now, inside, remote)
			} else {
				port := uint16(rapid.IntRange(4000, int(c.Ports.Last)).Draw(t, "at"))
				r := n.Inbound(now, makePacket(t, fmt.Sprintf("%s %v > 203.0.113.1:%d S", proto, remote, port)))
				got := "none"
				if r.Packets != nil {
					p := r.Packets[0]
					got = netip.AddrPortFrom(netip.AddrFrom4([4]byte(p[16:20])), uint16(p[22])<<8|uint16(p[23])).String()
				}
				require.Equal(t, m.in(proto, remote, port, now), got, "%v: %v > %d", now, remote, port)
			}
			consistent(t, n)
		}
	})
}

package nat

import (
	"encoding/binary"
	"flag"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var scripts = flag.Int("scripts", 600, "random scripts that TestScripts plays")

// configOf makes a configuration of a number: every setting takes each of its values.
// Those that Check refuses are made good by taking back what is refused.
func configOf(n uint64) Config {
	r := rand.New(rand.NewPCG(n, 7))
	pick := func(of int) int { return r.IntN(of) }
	dep := func() Dependence { return Dependence(pick(3)) }
	c := Config{
		Outside: addrs("203.0.113.1", "203.0.113.2", "203.0.113.3")[:1+pick(3)],
		UDP:     Behaviour{dep(), dep()}, TCP: Behaviour{dep(), dep()},
		ICMP:    ICMP{Behaviour: Behaviour{dep(), dep()}, NoQueries: pick(8) == 0, Errors: []ErrorMode{0, 0, 0, 2}[pick(4)], Silent: pick(2) == 0},
		Ports:   Ports{Assignment: Assignment(pick(4)), Range: Range(pick(3)), Parity: pick(3) == 0},
		Pooling: Pooling(pick(3)), Hairpin: Hairpinning(pick(3)), Refresh: Refresh(pick(3)), Scope: Scope(pick(2)),
		Fragments: Fragments{Mode: FragmentMode(pick(3)), HoldEach: pick(4), HoldTotal: pick(8), Datagrams: pick(8)},
		RewriteID: pick(2) == 0,
		ESP:       Portless{Mode: PortlessMode(pick(3))}, AH: Portless{Mode: PortlessMode(pick(3))}, Other: Portless{Mode: PortlessMode(pick(2))},
		IKE:      IKEMode(pick(4)),
		TCPRules: TCPRules{Unsolicited(pick(4)), MidStream(pick(3)), Reset(pick(2)), Window(pick(3))},
		Limits:   Limits{Mappings: 1 + pick(24), Sessions: 1 + pick(24), Held: 1 + pick(3), Eviction: Eviction(pick(3))},
		Change:   AddressChange(pick(3)),
	}
	if c.Ports.Assignment == Preserve {
		c.Ports.Collision = Collision(pick(5))
	}
	if pick(2) == 0 {
		c.Inside = addrs("10.0.0.254")[0]
	}
	if pick(3) == 0 {
		c.Limits.MappingsPerHost, c.Limits.SessionsPerHost = 1+pick(4), 1+pick(4)
	}
	if pick(3) == 0 {
		c.Ports.First = 1024
		c.Ports.Last = c.Ports.First + uint16(pick(16))
	}
	if pick(4) == 0 {
		c.Ports.Reserved = []uint16{500, 4500}
	}
	if pick(4) == 0 {
		c.Blocks = Blocks{Size: 2 + pick(6), PerHost: pick(3), Exhausted: Exhausted(pick(2))}
	}
	if pick(3) == 0 {
		c.Forwards = []Forward{
			{Proto: udp, Port: 500, Last: 502, Inside: netip.MustParseAddrPort("10.0.0.1:500"), OneWay: pick(2) == 0, RewriteSource: pick(2) == 0},
			{Proto: tcp, Port: 2, Inside: netip.MustParseAddrPort("10.0.0.2:1"), OneWay: pick(2) == 0, RewriteSource: pick(2) == 0},
		}
	}
	if pick(3) == 0 {
		c.Static = []Static{{addrs("10.0.0.8")[0], addrs("203.0.113.8")[0], pick(2) == 0}, {addrs("10.0.0.9")[0], addrs("203.0.113.9")[0], pick(2) == 0}}
	}
	if c.ESP.Mode == OneClient {
		c.ESP.Keep = Keep(pick(2))
	}
	if c.ESP.Mode == BySPI {
		c.ESP.Serial = pick(2) == 0
	}
	for _, back := range []func(){
		func() {
			if c.Ports.Collision == Share {
				c.UDP.Mapping, c.TCP.Mapping = AddressAndPortDependent, AddressAndPortDependent
			}
		},
		func() {
			if c.Ports.Assignment == Contiguous {
				c.Ports.Parity, c.UDP.Mapping = false, EndpointIndependent
			}
		},
		func() {
			if c.Blocks.Size > 0 {
				c.Ports.Range, c.Pooling, c.Ports.Collision = NoRange, Paired, Another
				c.Blocks.Size = 2
			}
		},
		func() {
			if c.Pooling == Arbitrary {
				c.ESP, c.AH, c.IKE = Portless{}, Portless{}, IKEPlain
			}
		},
		func() {
			for i := range c.Forwards {
				c.Forwards[i].RewriteSource = c.Forwards[i].RewriteSource && c.Inside.IsValid()
			}
		},
		func() {
			if c.IKE != IKEPlain || c.Forwards != nil {
				c.Ports.Reserved = nil
			}
		},
		func() { c.Blocks = Blocks{} },
	} {
		if c.Check() != nil {
			back()
		}
	}
	return c
}

func TestFuzzedConfigurations(t *testing.T) {
	for n := range uint64(20000) {
		require.NoError(t, configOf(n).Check(), "%d", n)
	}
}

// script makes packets and other happenings of octets.
type script struct {
	b    []byte
	rest [][]byte // of a datagram in fragments
}

func (s *script) next() byte {
	if len(s.b) == 0 {
		return 0
	}
	b := s.b[0]
	s.b = s.b[1:]
	return b
}

func (s *script) of(list ...string) string { return list[int(s.next())%len(list)] }

func (s *script) port() uint16 {
	return []uint16{1, 2, 3, 500, 501, 1023, 1024, 1025, 4500, 65535, 0}[int(s.next())%11]
}

var (
	insideHosts  = []string{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.8", "10.0.0.9"}
	outsideHosts = []string{"198.51.100.1", "198.51.100.2", "10.0.0.2"}
	boxAddresses = []string{"203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.8", "203.0.113.9", "203.0.113.77"}
)

// packet makes one between two addresses, with good checksums unless it is mangled.
func (s *script) packet(src, dst string) []byte {
	p := make([]byte, 20)
	p[0], p[8] = 0x45, 64
	p[5] = s.next() % 4
	a, b := netip.MustParseAddr(src).As4(), netip.MustParseAddr(dst).As4()
	copy(p[12:], a[:])
	copy(p[16:], b[:])
	p[9] = []byte{17, 17, 17, 6, 6, 6, 1, 1, 1, 50, 51, 33, 136, 47}[s.next()%14]
	var body []byte
	switch p[9] {
	case 1:
		typ := []byte{8, 0, 3, 11, 13, 14, 5, 4, 12}[s.next()%9]
		body = append(body, typ, s.next()%16, 0, 0)
		body = binary.BigEndian.AppendUint16(body, s.port())
		body = append(body, 0, s.next())
		if kindOf(typ) == icmpErrorKind {
			body[4], body[5] = 0, 0
			q := s.packet(dst, src)
			body = append(body, q[:max(20, len(q)-int(s.next())%16)]...)
		}
	case 6:
		body = make([]byte, 20)
		binary.BigEndian.PutUint16(body, s.port())
		binary.BigEndian.PutUint16(body[2:], s.port())
		body[7], body[11], body[12], body[13], body[14] = s.next(), s.next(), 0x50, s.next()&0x17, s.next()
		body[4] = s.next() & 0x80
	default:
		body = binary.BigEndian.AppendUint16(body, s.port())
		body = binary.BigEndian.AppendUint16(body, s.port())
		body = append(body, 0, 0, 0, 0)
		body = append(body, 0, 0, 0, 0, 0, 0, 0, s.next()&3) // a cookie
	}
	for range int(s.next()) % 40 {
		body = append(body, s.next())
	}
	if p[9] == 17 {
		binary.BigEndian.PutUint16(body[4:], uint16(len(body)))
	}
	binary.BigEndian.PutUint16(p[2:], uint16(20+len(body)))
	p = append(p, body...)
	sumUp(p)
	switch s.next() % 8 {
	case 0: // a fragment, whose checksum is over what there is
		if len(body) > 8 {
			f := cut(p, 8)
			at := int(s.next()) % len(f)
			p, s.rest = f[at], append(f[:at:at], f[at+1:]...)
		}
	case 1:
		if p[9] == 17 {
			p[26], p[27] = 0, 0
		}
	}
	return p
}

// answer makes a packet that a remote host might send back.
func (s *script) answer(to []byte) []byte {
	p := append([]byte{}, to...)
	copy(p[12:16], to[16:20])
	copy(p[16:20], to[12:16])
	b := p[20:]
	switch {
	case p[6]&0x3f != 0 || p[7] != 0:
	case p[9] == 1 && len(b) > 0:
		b[0] &^= 8
	case p[9] == 6 && len(b) >= 20:
		b[0], b[1], b[2], b[3] = b[2], b[3], b[0], b[1]
		copy(b[8:12], to[24:28])
		b[4], b[7], b[11], b[13], b[14] = s.next()&0x80, s.next(), b[11]+s.next()&1, s.next()&0x17, s.next()
	case p[9] == 17 && len(b) >= 8:
		b[0], b[1], b[2], b[3] = b[2], b[3], b[0], b[1]
	}
	sumUp(p)
	return p
}

// sumUp puts good checksums into a packet.
func sumUp(p []byte) {
	at := map[byte]int{1: 2, 6: 16, 17: 6, 33: 6, 136: 6}[p[9]]
	p[10], p[11] = 0, 0
	binary.BigEndian.PutUint16(p[10:], ^ones(p[:20]))
	b := p[20:]
	if at == 0 || at+2 > len(b) {
		return
	}
	b[at], b[at+1] = 0, 0
	pseudo := append(append([]byte{}, p[12:20]...), 0, p[9], byte(len(b)>>8), byte(len(b)))
	if p[9] == 1 {
		pseudo = nil
	}
	sum := ^ones(pseudo, b)
	if sum == 0 && (p[9] == 17 || p[9] == 136) {
		sum = 0xffff
	}
	binary.BigEndian.PutUint16(b[at:], sum)
}

// play lets a script happen to a NAT, and demands that what comes of each step is sound.
func play(t *testing.T, n *Table, s *script, most int) {
	now := time.Duration(0)
	var last []byte // that left
	var was byte    // the last operation
	for step := 0; len(s.b) > 0 && step < most; step++ {
		var p []byte
		var r Result
		op := s.next()
		if len(s.rest) > 0 && op&0x80 != 0 {
			op = was
			p, s.rest = s.rest[0], s.rest[1:]
		}
		was = op
		switch {
		case p != nil:
			op = min(op%16, 12) // what it was, with the next fragment
		default:
			s.rest = nil
		}
		switch op % 16 {
		default:
			if p != nil {
				break
			}
			p = s.packet(s.of(insideHosts...), s.of(outsideHosts...))
		case 5, 6, 7, 8, 9, 10:
			if p != nil {
				break
			}
			p = s.packet(s.of(outsideHosts...), s.of(boxAddresses...))
			if op&0x70 != 0 && last != nil {
				p = s.answer(last)
			}
		case 11, 12:
			if p != nil {
				break
			}
			p = s.packet(s.of(insideHosts...), s.of(boxAddresses...))
		case 13: // anything
			k := int(s.next())
			p = append([]byte{}, s.b[:min(len(s.b), k)]...)
		case 14:
			now += time.Duration(s.next()) * time.Second
			for _, a := range n.Expire(now) {
				require.Empty(t, badChecksums(a))
			}
			if at, ok := n.Deadline(); ok {
				require.Greater(t, at, now)
			}
		case 15:
			switch s.next() % 16 {
			case 0:
				n.Reboot(now)
				require.Empty(t, n.Mappings(now))
			case 1:
				require.NoError(t, n.SetAddresses(now, addrs(boxAddresses[1+s.next()%2], boxAddresses[5])))
			}
		}
		good := len(p) >= 20 && p[0]>>4 == 4 && int(p[0]&15)*4 >= 20 && int(p[0]&15)*4 <= len(p) &&
			int(binary.BigEndian.Uint16(p[2:])) >= int(p[0]&15)*4 && int(binary.BigEndian.Uint16(p[2:])) <= len(p) && len(badChecksums(p)) == 0
		came := append([]byte{}, p...)
		switch op % 16 {
		default:
			r = n.Outbound(now, p)
		case 5, 6, 7, 8, 9, 10:
			r = n.Inbound(now, p)
		case 11, 12:
			r = n.Hairpin(now, p)
		case 13:
			r = []func(time.Duration, []byte) Result{n.Outbound, n.Inbound, n.Hairpin}[int(s.next())%3](now, p)
		case 14, 15:
		}
		if op%16 < 5 && len(r.Packets) > 0 {
			last = append([]byte{}, r.Packets[0]...)
		}
		for i, q := range r.Packets {
			if good && i == 0 && !r.Own {
				require.Empty(t, badChecksums(q), "%x\nbecame %x", came, q)
				require.Len(t, q, int(binary.BigEndian.Uint16(came[2:])))
			}
			if !r.Own {
				before := append([]byte{}, q...)
				back, ok := n.Undo(now, q)
				require.Equal(t, before, q, "Undo makes a copy")
				if ok && good && i == 0 && op%16 < 5 && !isError(came) && n.cfg.IKE == IKEPlain { // else hosts may have one endpoint
					fit := append([]byte{}, came[:int(binary.BigEndian.Uint16(came[2:]))]...)
					require.Equal(t, fit[12:], back[12:], "%x\nbecame %x\nand again %x", came, q, back)
				}
			}
		}
		if r.Answer != nil {
			require.Empty(t, badChecksums(r.Answer))
		}
		if p != nil && r.Why != "" && !r.Own && op%16 < 11 {
			require.Equal(t, came, p, "what is dropped stays as it was: %s", r.Why)
		}
		if step%4 == 3 {
			consistent(t, n)
		}
	}
	n.Mappings(now)
	n.Expire(now + 10*365*24*time.Hour)
	consistent(t, n)
	require.Empty(t, n.Mappings(now), "everything ends")
	require.Zero(t, n.hosts.live())
	_, more := n.Deadline()
	require.False(t, more)
}

func FuzzNAT(f *testing.F) {
	for n := range uint64(64) {
		r := rand.New(rand.NewPCG(n, 3))
		b := make([]byte, 600)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		f.Add(n, b)
	}
	f.Fuzz(func(t *testing.T, c uint64, b []byte) {
		n, err := New(configOf(c), rand.New(rand.NewPCG(c, 1)))
		require.NoError(t, err)
		play(t, n, &script{b: b}, 200)
	})
}

// Random scripts, as the fuzzer plays them: a start that does not wait for it.
func TestScripts(t *testing.T) {
	total := Counters{}
	for n := range uint64(*scripts) {
		r := rand.New(rand.NewPCG(n, 99))
		b := make([]byte, 4000)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		nat, err := New(configOf(n), rand.New(rand.NewPCG(n, 1)))
		require.NoError(t, err)
		play(t, nat, &script{b: b}, 200)
		c := nat.Counters()
		total.Outbound += c.Outbound
		total.Inbound += c.Inbound
		total.Hairpinned += c.Hairpinned
		for i := range c.Dropped {
			total.Dropped[i] += c.Dropped[i]
		}
	}
	require.NotZero(t, total.Outbound)
	require.NotZero(t, total.Inbound)
	require.NotZero(t, total.Hairpinned)
	for why := none + 1; why < reasons; why++ {
		// The first two are rare; the others are the box's own as a rule.
		if why != sessionTaken && why != otherWaits && why != noMapping && why != noQuoted {
			require.NotZero(t, total.Dropped[why], "nothing was dropped because of: %v", why)
		}
	}
}

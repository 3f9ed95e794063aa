package mux_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// randomRun is one schedule of two hosts.
type randomRun struct {
	t         testing.TB
	n         *network
	a, b      *host
	r         *rand.Rand
	recovery  time.Time
	tally     tally
	forgotten map[*host]uint64 // requests up to this number may have been lost in a restart
}

// newRun draws a run from r, and what the hosts themselves draw from the seed.
func newRun(t testing.TB, r *rand.Rand, seed uint64, traced bool) *randomRun {
	s := &randomRun{t: t, n: newNetwork(t), r: r, tally: tally{}, forgotten: map[*host]uint64{}}
	s.a, s.b = s.n.add("a", "10.0.0.1", 2*seed+1), s.n.add("b", "10.0.0.2", 2*seed+2)
	s.configureNAT()
	s.configure()
	for i, h := range s.n.hosts {
		h.firstSPI = uint32(h.addr.AsSlice()[3]) << 24
		if !traced && !h.config.NAT.On() {
			h.config.Trace = nil
		}
		h.drive(s.n.hosts[1-i], 2*seed+uint64(i))
		h.reboot()
	}
	return s
}

// configure draws the policies. Group 1 serves nearly all, because the larger ones cost most of the time.
func (s *randomRun) configure() {
	r := s.r
	group := func() uint16 { return pick[uint16](r, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 5, 14) }
	mm := ike.MainModeProposal{
		Cipher: pick(r, "des-cbc", "3des-cbc", "3des-cbc", "aes128-cbc", "aes192-cbc", "aes256-cbc"),
		Hash:   pick(r, "md5", "sha1", "sha1", "sha256", "sha384", "sha512"), Group: group(),
	}
	pfs := ike.QuickMode{PFS: r.IntN(6) == 0}
	if pfs.PFS && r.IntN(2) == 0 {
		pfs.PFSGroup = group()
	}
	method, aggressive := pick(r, append(slices.Clone(methods), ike.PreSharedKey)...), r.IntN(3) == 0
	s.n.authenticate(method, r.IntN(12) == 0, r.IntN(2) == 0)
	s.tally[method.String()]++
	if aggressive {
		s.tally["aggressive mode"]++
	}
	kilobytes := uint64(2)
	if method != ike.PreSharedKey {
		kilobytes = 4 // certificates are a good part of it
	}
	lifetime := ipsec.Lifetime{Duration: time.Duration(2+r.IntN(18)) * time.Minute}
	for _, h := range s.n.hosts {
		h.mainMode = ike.MainMode{
			Proposals: []ike.MainModeProposal{mm}, QuickModes: pick(r, 0, 0, 0, 1, 2), Kilobytes: pick[uint64](r, 0, 0, 0, 0, 0, 0, 0, kilobytes),
			Lifetime:   pick[time.Duration](r, 0, 0, 0, 3*time.Minute, 10*time.Minute),
			Aggressive: aggressive,
		}
		h.quickMode.PFS, h.quickMode.PFSGroup = pfs.PFS, pfs.PFSGroup
		h.config.Commit, h.config.SilentResponder = r.IntN(6) == 0, r.IntN(6) == 0
		h.config.DoSProtection, h.config.FastFailover = r.IntN(6) == 0, r.IntN(2) == 0
		h.config.ShortenMainMode, h.config.Preference = r.IntN(2) == 0, pick(r, ike.InitiatorsOrder, ike.ResponderOrder)
		h.quickMode.Proposals = []ipsec.Proposal{proposal(des3)}
		if r.IntN(8) == 0 { // not what the other side has: it is shortened
			lifetime.Duration = lifetime.Duration / 2
		}
		h.quickMode.Proposals[0].Lifetime = lifetime
	}
	for _, h := range s.n.hosts {
		h.config.VendorIDs = [][]byte{pick(r, microsoft2003, microsoft2003, microsoft2000, []byte("another vendor"))}
		h.config.ReliableDelete = ike.ReliableDelete{Enabled: r.IntN(3) > 0, Retransmissions: pick(r, 0, 0, 4)}
		h.config.Fragmentation = ike.Fragmentation{
			Form: pick(r, ike.NoFragments, ike.WindowsFragments, ike.CiscoFragments), Size: 360, Headerless: r.IntN(4) == 0, Aggressive: r.IntN(2) == 0,
		}
	}
	s.configureTransactions()
	if r.IntN(4) == 0 {
		both := bundled()
		both.Lifetime = lifetime
		s.a.quickMode.Proposals = slices.Insert(s.a.quickMode.Proposals, 0, both)
		if own := s.b.quickMode.Proposals; !s.natted() { // else there is nothing in common
			s.b.quickMode.Proposals = pick(r, []ipsec.Proposal{both}, []ipsec.Proposal{both}, own)
		}
		s.tally["bundles"]++
	}
}

// configureTransactions draws what comes between phase 1 and the first quick mode: a is the client, b the gateway.
func (s *randomRun) configureTransactions() {
	r, a, b := s.r, s.a, s.b
	if r.IntN(4) == 0 {
		a.xauth, b.xauth = &ike.XAuth{User: alice}, &ike.XAuth{Asks: true, Users: []ike.User{alice}, Attempts: pick(r, 0, 1)}
		s.tally["xauth"]++
	}
	if r.IntN(4) == 0 {
		push, last := r.IntN(2) == 0, "10.9.0.10"
		if s.n.translated() {
			last = "10.9.0.40" // who comes back from another port may be another computer
		}
		a.mainMode.ModeConfig, b.mainMode.ModeConfig = &ike.ModeConfig{Push: push}, &ike.ModeConfig{Push: push, Gives: pool(last)}
		s.tally["mode config"]++
	}
	if r.IntN(8) == 0 {
		for _, h := range s.n.hosts {
			h.mainMode.NewGroups.Accept = r.IntN(3) > 0
		}
		pick(r, a, b).mainMode.NewGroups.Propose = privateGroup()
		s.tally["new groups"]++
	}
}

func pick[T any](r *rand.Rand, among ...T) T { return among[r.IntN(len(among))] }

// misbehave runs the part of the schedule in which the network is bad.
func (s *randomRun) misbehave() {
	r, n := s.r, s.n
	bad := time.Duration(20+r.IntN(40)) * time.Second
	if r.IntN(4) == 0 { // longer than any exchange: both sides can give up, and not be told
		bad = time.Duration(2+r.IntN(5)) * time.Minute
	}
	s.recovery = n.start.Add(bad)
	s.impair()
	for s.elapsed() < bad {
		s.act()
		n.run(s.elapsed() + min(bad-s.elapsed(), time.Duration(r.Int64N(int64(20*time.Second)))))
	}
}

// impair draws what the network does until it recovers.
func (s *randomRun) impair() {
	r, n := s.r, s.n
	repeat, alter := 0.3*r.Float64(), 0.1*r.Float64()*float64(r.IntN(2))
	loss := map[*host]float64{s.a: 0.5 * r.Float64(), s.b: 0.5 * r.Float64()} // by sender
	if r.IntN(8) == 0 {
		loss[pick(r, s.a, s.b)] = 0.9
	}
	swallowed, mostly := func(ike.Datagram) bool { return false }, r.IntN(4) > 0
	if r.IntN(3) == 0 {
		swallowed = pick(r, isShortQuickMode, isLateMainMode, isInformational)
	}
	attacks := 0.0
	if r.IntN(3) == 0 {
		attacks = 0.7 * r.Float64()
	}
	slowest := pick(r, 20*time.Millisecond, 3*time.Second, 3*time.Second, 20*time.Second)
	good := func() bool { return !n.now.Before(s.recovery) }
	n.fate = func(_ int, d ike.Datagram) []time.Duration {
		if good() {
			return []time.Duration{n.latency}
		}
		if r.Float64() < attacks {
			s.attack(d)
		}
		sender := s.a
		if d.Local.Addr() == s.b.addr {
			sender = s.b
		}
		var arrivals []time.Duration
		for r.Float64() >= loss[sender] && !(swallowed(d) && (mostly || r.IntN(2) == 0)) && len(arrivals) < 4 {
			delay := n.latency
			if r.IntN(3) == 0 {
				delay = time.Duration(r.Int64N(int64(slowest)))
			}
			arrivals = append(arrivals, delay)
			if r.Float64() > repeat {
				break
			}
		}
		switch len(arrivals) {
		case 0:
			s.tally["lost"]++
		case 1:
		default:
			s.tally["repeated"]++
		}
		return arrivals
	}
	n.alter = func(_ int, bs []byte) []byte {
		if !good() && r.Float64() < alter {
			bs[r.IntN(len(bs))] ^= 1 << r.IntN(8)
			s.tally["altered"]++
		}
		return bs
	}
}

// What a network may lose more often than others, because the ends of exchanges hang on it:
// quick mode message 3, messages 5 and 6 of main mode, Deletes and CONNECTED.

func isShortQuickMode(d ike.Datagram) bool {
	return exchangeOf(d) == payload.QuickMode && len(d.Payload) < 110
}

func isLateMainMode(d ike.Datagram) bool {
	return exchangeOf(d) == payload.MainMode && payload.Flags(d.Payload[19])&payload.Encrypted != 0
}

func isInformational(d ike.Datagram) bool { return exchangeOf(d) == payload.Informational }

// act has one of the hosts do something.
func (s *randomRun) act() {
	h, to := s.a, s.b
	if s.r.IntN(2) == 0 {
		h, to = s.b, s.a
	}
	switch s.r.IntN(18) {
	case 16, 17:
		s.remap()
	case 0:
		s.forgotten[h] = h.requests
		h.reboot()
		s.tally["restarts"]++
	case 1:
		h.driver.endAll()
		s.tally["policy changes"]++
	case 2, 3:
		h.driver.endSome()
	default:
		for range 1 + s.r.IntN(2) {
			h.request(to)
		}
		if s.r.IntN(4) == 0 {
			to.request(h)
		}
	}
}

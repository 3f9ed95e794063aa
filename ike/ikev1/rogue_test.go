package ikev1

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/suite"
)

// rogue is the peer i, which is not what it seems, and its victim r.
type rogue struct {
	t       *testing.T
	s       *script
	i, r    *side
	at      time.Time
	mids    []uint32 // of the exchanges so far, the last of them the current one
	answers [][]byte // what r sent
	iv      []byte   // after the latest message of the current exchange
	ni, nr  []byte
	given   int // messages
	genuine int // exchanges that r started
}

func newRogue(t *testing.T, s *script) *rogue {
	p := &rogue{t: t, s: s, at: now}
	flags := s.byte()
	p.i, p.r = establish(t)
	p.r.sa.policy.ModeConfig = &ike.ModeConfig{Gives: &ike.Configuration{First: netip.MustParseAddr("10.9.0.1"), Last: netip.MustParseAddr("10.9.0.2")}, Version: "v"}
	p.r.sa.policy.NewGroups = ike.NewGroups{Accept: true, MinBits: 768}
	for _, x := range []*side{p.i, p.r} {
		x.config.Commit = flags&1 != 0
		x.quick.PFS = flags&2 != 0
		if flags&4 != 0 {
			both := x.quick.Proposals[0]
			both.Transforms = append(both.Transforms[:1:1], ipsec.Transform{Protocol: ipsec.AH, Auth: "hmac-md5-96"})
			x.quick.Proposals = append(x.quick.Proposals, both)
		}
	}
	p.extend(flags)
	p.r.env.MayNotify = func(time.Time, netip.Addr) bool { return flags&8 != 0 }
	return p
}

// extend switches extensions on, as if both sides had announced them.
func (p *rogue) extend(flags byte) {
	for _, x := range []*side{p.i, p.r} {
		if flags&16 != 0 {
			x.config.ReliableDelete.Enabled = true
			x.config.DPD = ike.DPD{Enabled: true, Idle: 20 * time.Second}
			x.config.Traffic = func(netip.AddrPort) (in, out time.Time) { return now, p.at }
			x.env.Newest = func(*SA) bool { return true }
			x.sa.vendors = append(x.sa.vendors, payload.VendorID{Data: microsoft4}, payload.VendorID{Data: deadPeer})
			x.sa.watch(now)
		}
		if flags&64 != 0 { // the peer is behind a NAT
			x.config.NAT = ike.NATTraversal{Dialects: []ike.NATDialect{ike.NATRFC3947}}
			x.sa.natt = traversal{dialect: ike.NATRFC3947, found: true, where: ike.NATPlacement{Initiator: true}}
			x.sa.local, x.sa.remote = netip.AddrPortFrom(x.sa.local.Addr(), ike.NATPort), netip.AddrPortFrom(x.sa.remote.Addr(), ike.NATPort)
			x.quick.UDP = x.sa.encapsulation()
		}
		if flags&32 != 0 {
			x.config.Fragmentation = ike.Fragmentation{Form: ike.CiscoFragments, Size: 360}
			x.sa.vendors = append(x.sa.vendors, payload.VendorID{Data: fragmenting})
		}
	}
}

// step is one thing that the peer does, or that its victim is asked to do.
func (p *rogue) step() {
	switch s := p.s; s.byte() % 8 {
	case 0, 1, 2:
		p.send()
	case 3:
		p.mids, p.iv = append(p.mids, binary.BigEndian.Uint32(append(s.bytes(), 1, 2, 3, 4))), nil
	case 4: // the victim starts a quick mode, as package mux does
		if !p.r.sa.Usable(p.at) {
			break
		}
		p.genuine++
		p.start(p.r)
		p.hear()
	case 5: // a replay of what the victim sent, or of a copy of it
		if len(p.answers) > 0 {
			p.give(s.alter(p.answers[int(s.byte())%len(p.answers)]))
		}
	case 6: // a message in the clear
		h := payload.Header{CookieI: p.i.sa.cookies.Initiator, CookieR: p.i.sa.cookies.Responder, Next: payload.Type(s.byte()), Version: payload.Version1,
			Exchange: payload.Exchange(s.byte()), Flags: payload.Flags(s.byte() & 3), MessageID: p.mid()}
		p.give(append(h.Append(nil), s.bytes()...))
	case 7:
		p.wait(time.Duration(s.byte()) * 500 * time.Millisecond)
	}
}

func (p *rogue) mid() uint32 {
	if len(p.mids) == 0 {
		p.mids = append(p.mids, 1)
	}
	return p.mids[len(p.mids)-1]
}

// send is a message that verifies, with payloads of the fuzzer's choice behind the hash.
func (p *rogue) send() {
	s, sa := p.s, p.i.sa
	exchange := []payload.Exchange{payload.QuickMode, payload.QuickMode, payload.Informational, payload.MainMode, payload.Exchange(s.byte()), payload.Transaction, payload.NewGroup}[s.byte()%7]
	form := s.byte()
	rest, first := p.payloads()
	var hash []byte
	mid := p.mid()
	switch form % 4 {
	case 0, 1:
		hash = sa.hash1(mid)(rest)
	case 2:
		hash = sa.keys.hash.PRF(sa.keys.a, messageID(mid), p.ni, rest)
	case 3:
		hash = sa.keys.hash.PRF(sa.keys.a, []byte{0}, messageID(mid), p.ni, p.nr)
	}
	iv := p.iv
	if iv == nil || form&8 != 0 {
		iv = sa.firstIV(mid)
	}
	plain := payload.Append(nil, payload.Hash{Data: hash})
	plain[0] = byte(first)
	plain = append(plain, rest...)
	if form&16 != 0 {
		plain = append(plain, s.bytes()...)
	}
	var ciphertext []byte
	ciphertext, p.iv = sa.keys.seal(iv, plain)
	h := sa.header(exchange, mid, payload.TypeHash, payload.Encrypted)
	if form&32 != 0 {
		h.Flags |= payload.Commit
	}
	if form&64 != 0 {
		h.Next = payload.Type(s.byte())
	}
	p.give(append(h.Append(nil), ciphertext...))
	p.hear()
}

// payloads is a chain, of bytes of the fuzzer or of payloads that fit where they stand, altered or not.
func (p *rogue) payloads() (chain []byte, first payload.Type) {
	s := p.s
	kinds := s.byte()
	if kinds == 255 {
		return bytes.Clone(s.bytes()), payload.Type(s.byte())
	}
	var ps []payload.Payload
	group := uint16(0)
	if p.i.quick.PFS {
		group = 1
	}
	id := func(last byte) payload.ID { return payload.SelectorID(ipsec.Host(endpoint(last).Addr()), 0, 0) }
	list := s.bytes()
	for _, kind := range list[:min(len(list), 16)] {
		switch kind % 20 {
		case 0, 1:
			ps = append(ps, p.i.offer(group))
		case 2, 3:
			ps = append(ps, nonce())
			p.ni = nonce().(payload.Nonce).Data
		case 4:
			private, err := p.i.sa.group.GenerateKey(p.i.config.Rand)
			require.NoError(p.t, err)
			ps = append(ps, payload.KeyExchange{Data: private.Public()})
		case 5:
			ps = append(ps, id(1), id(2))
		case 6:
			ps = append(ps, payload.ID{IDType: payload.IDType(s.byte()), Protocol: s.byte(), Port: uint16(s.byte()), Data: s.bytes()})
		case 7:
			ps = append(ps, payload.Notify{DOI: 1, Protocol: payload.ProtocolID(s.byte()), NotifyType: payload.NotifyType(s.byte())<<8 | payload.NotifyType(s.byte()), SPI: s.bytes(), Data: s.bytes()})
		case 8:
			spi := append(s.bytes(), 0)
			ps = append(ps, payload.Delete{DOI: 1, Protocol: payload.ProtocolID(s.byte()), SPISize: uint8(len(spi)), SPIs: [][]byte{spi, spi}})
		case 9:
			ps = append(ps, payload.Raw{T: payload.Type(s.byte()), Data: s.bytes()})
		case 10:
			ps = append(ps, ike.ResponderLifetime(payload.ProtocolID(s.byte()), s.bytes(), ipsec.Lifetime{Duration: time.Duration(s.byte()) * time.Second, Kilobytes: uint64(s.byte())}))
		case 11: // what the victim offered
			if q := p.victimsOffer(); q != nil {
				ps = append(ps, q.offer)
				p.ni = q.ni
			}
		case 12:
			ps = append(ps, payload.Notify{DOI: 1, Protocol: payload.ProtocolESP, NotifyType: payload.NotifyConnected, SPI: s.bytes()})
		case 13:
			ps = append(ps, payload.VendorID{Data: s.bytes()})
		case 14:
			ps = append(ps, payload.Delete{DOI: 1, Protocol: payload.ProtocolISAKMP, SPISize: 16, SPIs: [][]byte{p.i.sa.spi()}})
		case 15: // of the SPI that the peer offers
			ps = append(ps, payload.Delete{DOI: 1, Protocol: payload.ProtocolESP, SPISize: 4, SPIs: [][]byte{{0xab, 0xcd, 0xef, 0x01}}})
		case 16:
			ps = append(ps, payload.Notify{DOI: 1, Protocol: payload.ProtocolISAKMP, NotifyType: payload.NotifyInitialContact, SPI: p.i.sa.spi()})
		case 17:
			ps = append(ps, payload.NATOA{Draft: s.byte()&1 != 0, Addr: endpoint(s.byte()).Addr()})
		case 18: // of mode config and XAUTH
			kinds := []uint16{payload.XAUTHUserName, payload.XAUTHStatus, payload.ConfigIP4Address, payload.ConfigIP4Netmask, payload.ConfigIP4Subnet, payload.UnitySplitInclude, payload.ConfigVersion, uint16(s.byte())}
			a := payload.Attributes{Config: payload.ConfigType(s.byte() % 6), Identifier: uint16(s.byte())}
			for range s.byte() % 8 {
				a.Attributes = append(a.Attributes, payload.Attribute{Type: kinds[int(s.byte())%len(kinds)], Value: s.bytes()})
			}
			ps = append(ps, a)
		case 19: // a private group
			ps = append(ps, payload.NewSA(payload.Proposal{Number: 1, Protocol: payload.ProtocolISAKMP, Transforms: []payload.Transform{{Number: 1, ID: payload.TransformKeyIKE, Attributes: []payload.Attribute{
				payload.BasicAttribute(payload.AttrGroup, 32768+uint16(s.byte())), payload.BasicAttribute(payload.AttrGroupType, 1),
				{Type: payload.AttrGroupPrime, Value: suite.GroupNumbered(1).Prime().Bytes()}, {Type: payload.AttrGenerator1, Value: s.bytes()},
			}}}}))
		default:
			ps = append(ps, payload.Hash{Data: s.bytes()})
		}
	}
	chain = payload.Append(nil, ps...)
	if kinds&16 != 0 {
		chain = s.alter(chain)
	}
	return chain, payload.First(ps)
}

func (p *rogue) victimsOffer() *quick {
	for _, q := range p.r.sa.quicks {
		if q.offer != nil && q.initiator {
			return q
		}
	}
	return nil
}

// give hands a message to the victim.
func (p *rogue) give(b []byte) {
	if len(b) < payload.HeaderLen {
		return
	}
	payload.SetLength(b)
	p.given++
	if p.r.config.NAT.On() && p.s.byte()%4 == 1 { // from another port
		h, err := payload.ParseHeader(b)
		require.NoError(p.t, err)
		p.r.sa.HandleDatagram(p.at, ike.Datagram{Local: p.r.sa.local, Remote: netip.AddrPortFrom(p.r.sa.remote.Addr(), 1024+uint16(p.s.byte())), Payload: bytes.Clone(b)}, h)
		p.r.drain()
		return
	}
	p.r.handle(p.at, b)
}

// hear takes what the victim has sent: it names the exchange to go on with.
func (p *rogue) hear() {
	for _, b := range p.r.out {
		h, err := payload.ParseHeader(b)
		require.NoError(p.t, err, "the victim sends sound messages")
		if h.Exchange == payload.QuickMode {
			p.mids = append(p.mids, h.MessageID)
			p.iv = b[len(b)-p.i.sa.keys.block.BlockSize():]
			for _, q := range p.r.sa.quicks {
				if q.mid == h.MessageID {
					p.ni, p.nr = q.ni, q.nr
				}
			}
		}
		p.answers = append(p.answers, b)
	}
	p.r.out = nil
}

func (p *rogue) start(of *side) {
	q := request
	if of == p.r {
		q.Local, q.Remote, q.Selector = q.Remote, q.Local, q.Selector.Reverse()
	}
	q.QuickMode = of.quick
	of.sa.StartQuickMode(p.at, q, 1)
	of.drain()
}

func (p *rogue) wait(d time.Duration) {
	p.at = p.at.Add(d)
	p.r.sa.Advance(p.at)
	p.r.drain()
	p.hear()
}

// wantBounded expects that the victim keeps and says no more than it was given reason to.
func (p *rogue) wantBounded() {
	p.t.Helper()
	exchanges := p.given + p.genuine
	require.LessOrEqual(p.t, len(p.r.sa.quicks), exchanges)
	require.LessOrEqual(p.t, p.r.spis, 2*exchanges)
	require.GreaterOrEqual(p.t, p.r.spis, 0)
	require.LessOrEqual(p.t, len(p.r.sa.used), 3*exchanges+16)
	atMost := 9*exchanges + 16
	if p.r.config.Fragmentation.Form != ike.NoFragments {
		atMost *= 8
	}
	require.LessOrEqual(p.t, len(p.answers), atMost, "copies on their schedule, and an answer to each message")
	require.LessOrEqual(p.t, len(p.r.sa.deletions), maxDeletions)
	require.LessOrEqual(p.t, len(p.r.sa.answered), min(maxAnswered, p.given))
	require.LessOrEqual(p.t, p.r.env.waiting, maxFragmentBytes)
	require.Equal(p.t, p.r.sa.queued(), p.r.env.waiting)
	require.LessOrEqual(p.t, len(p.r.sa.transactions), min(exchanges, maxTransactions))
	require.LessOrEqual(p.t, len(p.r.env.leases), 1)
}

// finish lets a genuine negotiation happen under what is left, and then all schedules end.
func (p *rogue) finish() {
	t := p.t
	p.wait(5 * time.Minute)
	if p.r.sa.Usable(p.at) {
		p.negotiate()
		p.wait(5 * time.Minute)
	}
	require.False(t, p.r.sa.Busy(), "no quick mode goes on for ever")
	require.True(t, p.r.sa.Dead() || len(p.r.sa.quicks) == 0, "none is kept for ever")
	handed := 0
	for _, e := range p.r.events {
		if sas, ok := e.(ike.EventSAs); ok {
			handed += len(sas.In)
		}
	}
	require.Equal(t, handed, p.r.spis, "each SPI is one of an SA, or has been given back")
}

// negotiate is a quick mode between the two engines as they are.
func (p *rogue) negotiate() {
	t := p.t
	for _, x := range []*side{p.i, p.r} {
		x.out, x.config.Commit = nil, false
		x.config.Fragmentation = ike.Fragmentation{} // what follows is a message at a time
	}
	p.start(p.i)
	for from, to := p.i, p.r; len(from.out) > 0; from, to = to, from {
		to.handle(p.at, from.take())
	}
	one, ok := p.i.events[len(p.i.events)-1].(ike.EventSAs)
	require.True(t, ok, "the genuine initiator has a pair")
	other, ok := p.r.events[len(p.r.events)-1].(ike.EventSAs)
	require.True(t, ok, "the genuine responder has a pair")
	require.Equal(t, one.Out[0].CipherKey, other.In[0].CipherKey)
	require.Equal(t, one.In[0].AuthKey, other.Out[0].AuthKey)
}

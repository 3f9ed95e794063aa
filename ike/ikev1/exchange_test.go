package ikev1

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// side is one end of an ISAKMP SA whose messages the tests forge.
type side struct {
	t      *testing.T
	sa     *SA
	config ike.Config
	env    Env
	policy ike.MainMode
	quick  ike.QuickMode
	log    []trace.Body
	spis   int // allocated and not released
	next   uint32
	events []ike.Event // but EventSend
	out    [][]byte    // sent and not taken
}

var now = time.Date(2005, 3, 30, 0, 0, 0, 0, time.UTC)

func newSide(t *testing.T, seed byte) *side {
	s := &side{t: t, next: 0x1000 * uint32(seed)}
	s.policy = ike.MainMode{Proposals: []ike.MainModeProposal{{Cipher: "3des-cbc", Hash: "sha1", Group: 1}}, Auth: []ike.Auth{{Method: ike.PreSharedKey, PreSharedKey: []byte("psk")}}}
	s.quick = ike.QuickMode{Proposals: []ipsec.Proposal{{
		Transforms: []ipsec.Transform{{Protocol: ipsec.ESP, Cipher: "3des-cbc", Auth: "hmac-sha1-96"}},
		Lifetime:   ipsec.Lifetime{Duration: time.Hour}, Mode: ipsec.Transport,
	}}}
	s.config = ike.Config{Rand: rand.NewChaCha8([32]byte{seed}), Policy: s, SPIs: s, Trace: func(b trace.Body) { s.log = append(s.log, b) }}
	s.env = Env{Config: &s.config, Alone: func(time.Time, *SA) bool { return false }, Known: func(netip.Addr) bool { return false }, MayNotify: func(time.Time, netip.Addr) bool { return true }}
	return s
}

func (s *side) MainMode(_, _ netip.Addr) (ike.MainMode, bool) { return s.policy, true }
func (s *side) QuickMode(_ netip.Addr, out ipsec.Selector) (ike.QuickMode, bool) {
	return s.quick, out.DstPort != 666
}
func (s *side) AllocateSPI(ipsec.Protocol) uint32 { s.spis++; s.next++; return s.next }
func (s *side) ReleaseSPI(ipsec.Protocol, uint32) { s.spis-- }
func endpoint(last byte) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, last}), 500)
}

// drain sorts the engine's events.
func (s *side) drain() {
	for e, ok := s.sa.NextEvent(); ok; e, ok = s.sa.NextEvent() {
		if send, is := e.(ike.EventSend); is {
			s.out = append(s.out, send.Datagram.Payload)
		} else {
			s.events = append(s.events, e)
		}
	}
}

// take is the oldest message that the side has sent.
func (s *side) take() []byte {
	s.t.Helper()
	require.NotEmpty(s.t, s.out, "a message is sent")
	b := s.out[0]
	s.out = s.out[1:]
	return b
}

// give hands a message in.
func (s *side) give(b []byte) {
	s.t.Helper()
	s.handle(now, b)
}

// handle hands a message in at a time, as it comes from where the other side is.
func (s *side) handle(at time.Time, b []byte) {
	s.t.Helper()
	h, err := payload.ParseHeader(b)
	require.NoError(s.t, err)
	s.sa.HandleDatagram(at, ike.Datagram{Local: s.sa.Local(), Remote: s.sa.Remote(), Payload: bytes.Clone(b)}, h)
	s.drain()
}

// note is the note of the message received last.
func (s *side) note() string {
	for i := len(s.log) - 1; i >= 0; i-- {
		if m, ok := s.log[i].(trace.IKEMessage); ok && !m.Sent {
			return m.Note
		}
	}
	return ""
}

// told is the type of the protected notification in b, which s can decrypt.
func (s *side) told(b []byte) payload.NotifyType {
	s.t.Helper()
	h, err := payload.ParseHeader(b)
	require.NoError(s.t, err)
	require.Equal(s.t, payload.Informational, h.Exchange)
	m := &message{Header: h, raw: b}
	require.NoError(s.t, m.authenticate(s.sa.keys, s.sa.firstIV(h.MessageID), s.sa.hash1(h.MessageID)))
	n, _, err := payload.One[payload.Notify](m.chain)
	require.NoError(s.t, err)
	return n.NotifyType
}

// forge is a phase 2 message of the side with HASH(1).
func (s *side) forge(x payload.Exchange, mid uint32, ps ...payload.Payload) []byte {
	b, _, _ := s.sa.hashed(x, mid, s.sa.firstIV(mid), s.sa.hash1(mid), ps...)
	return b
}

// begin starts a main mode up to the point where message 1 has been answered.
func begin(t *testing.T) (i, r *side) {
	i, r = newSide(t, 1), newSide(t, 2)
	beginWith(i, r)
	return i, r
}

// beginWith is begin with sides whose configuration is made.
func beginWith(i, r *side) {
	i.t.Helper()
	var err error
	i.sa, err = Initiate(&i.env, now, endpoint(1), endpoint(2), i.policy)
	require.NoError(i.t, err)
	i.drain()
	b := i.take()
	h, err := payload.ParseHeader(b)
	require.NoError(i.t, err)
	r.sa = Respond(&r.env, now, endpoint(2), endpoint(1), h, b, r.policy)
	r.drain()
}

// establish is a pair of sides after main mode.
func establish(t *testing.T) (i, r *side) {
	i, r = begin(t)
	i.establish(r)
	return i, r
}

// establish goes on from message 2.
func (s *side) establish(r *side) {
	s.t.Helper()
	for range 2 {
		s.give(r.take())
		r.give(s.take())
	}
	s.give(r.take())
	require.True(s.t, s.sa.Established() && r.sa.Established())
	s.events, r.events = nil, nil
}

var request = ike.Request{ID: 1, Local: endpoint(1).Addr(), Remote: endpoint(2).Addr(), Selector: ipsec.Selector{
	Src: ipsec.Host(endpoint(1).Addr()), Dst: ipsec.Host(endpoint(2).Addr()),
}}

func (s *side) start() {
	q := request
	q.QuickMode = s.quick
	s.sa.StartQuickMode(now, q, 1)
	s.drain()
}

func nonce() payload.Payload { return payload.Nonce{Data: run(0, 16)} }

func (s *side) offer(group uint16) *payload.SA {
	sa, err := ike.OfferQuickMode(s.quick, group, spiIs(0xabcdef01))
	require.NoError(s.t, err)
	return sa
}

// What a peer that has been authenticated may still do wrong in quick mode message 1, and what it is told.
func TestQuickModeRefusals(t *testing.T) {
	spi := unhexed("abcdef01")
	esp := func(mutate func(*payload.Proposal)) *payload.SA {
		p := newSide(t, 9).offer(0).Proposals[0]
		mutate(&p)
		return payload.NewSA(p)
	}
	ah := payload.Proposal{Number: 1, Protocol: payload.ProtocolAH, SPI: spi, Transforms: []payload.Transform{{
		Number: 1, ID: payload.TransformAHSHA, Attributes: []payload.Attribute{
			payload.BasicAttribute(payload.AttrEncapsulation, 2), payload.BasicAttribute(payload.AttrAuth, payload.AuthHMACSHA1),
		},
	}}}
	good := esp(func(*payload.Proposal) {})
	id := func(addr string, proto uint8, port uint16) payload.ID {
		return payload.SelectorID(netip.MustParsePrefix(addr), proto, port)
	}
	me, you := id("10.0.0.1/32", 0, 0), id("10.0.0.2/32", 0, 0)
	for _, row := range []struct {
		name string
		ps   []payload.Payload
		want payload.NotifyType // 0: accepted
		why  string
	}{
		{"fine", []payload.Payload{good, nonce(), me, you}, 0, ""},
		{"no identities", []payload.Payload{good, nonce()}, 0, ""},
		{"an unknown payload", []payload.Payload{good, payload.Raw{T: 200, Data: []byte{1}}, nonce()}, 0, ""},
		{"AH", []payload.Payload{payload.NewSA(ah), nonce()}, payload.NotifyNoProposalChosen, "peer offers AH[hmac-sha1-96]:28800s, policy"},
		{"AH and ESP together", []payload.Payload{payload.NewSA(good.Proposals[0], ah), nonce()}, payload.NotifyNoProposalChosen, "peer offers ESP[3des-cbc,hmac-sha1-96]+AH[hmac-sha1-96]:3600s, policy"},
		{"AH or ESP", []payload.Payload{payload.NewSA(ah, esp(func(p *payload.Proposal) { p.Number = 2 }).Proposals[0]), nonce()}, 0, ""},
		{"reserved SPI", []payload.Payload{esp(func(p *payload.Proposal) { p.SPI = unhexed("000000ff") }), nonce()}, payload.NotifyNoProposalChosen, "ESP with the SPI 000000ff"},
		{"SPI of two bytes", []payload.Payload{esp(func(p *payload.Proposal) { p.SPI = unhexed("abcd") }), nonce()}, payload.NotifyNoProposalChosen, "ESP with the SPI abcd"},
		{"unknown transform", []payload.Payload{esp(func(p *payload.Proposal) { p.Transforms[0].ID = 99 }), nonce()}, payload.NotifyNoProposalChosen, "peer offers 99 with Key Length 0"},
		{"DES", []payload.Payload{esp(func(p *payload.Proposal) { p.Transforms[0].ID = 2 }), nonce()}, payload.NotifyNoProposalChosen, "peer offers ESP[des-cbc,hmac-sha1-96]:3600s, policy"},
		{"3DES with a key length", []payload.Payload{esp(func(p *payload.Proposal) {
			p.Transforms[0].Attributes = append(p.Transforms[0].Attributes, payload.BasicAttribute(payload.AttrSAKeyLength, 192))
		}), nonce()}, payload.NotifyNoProposalChosen, "ESP_3DES with Key Length 192"},
		{"unknown attribute", []payload.Payload{esp(func(p *payload.Proposal) {
			p.Transforms[0].Attributes = append(p.Transforms[0].Attributes, payload.BasicAttribute(77, 1))
		}), nonce()}, 0, ""},
		{"an attribute that is defined and has no place here", []payload.Payload{esp(func(p *payload.Proposal) {
			p.Transforms[0].Attributes = append(p.Transforms[0].Attributes, payload.BasicAttribute(10, 1))
		}), nonce()}, payload.NotifyNoProposalChosen, "ECN Tunnel Allowed"},
		{"encapsulation twice", []payload.Payload{esp(func(p *payload.Proposal) {
			p.Transforms[0].Attributes = append(p.Transforms[0].Attributes, payload.BasicAttribute(payload.AttrEncapsulation, 1))
		}), nonce()}, payload.NotifyNoProposalChosen, "Encapsulation Mode Tunnel"},
		{"life duration without a type", []payload.Payload{esp(func(p *payload.Proposal) {
			p.Transforms[0].Attributes = append(p.Transforms[0].Attributes, payload.LongAttribute(payload.AttrSALifeDuration, 5))
		}), nonce()}, payload.NotifyNoProposalChosen, "SA Life Duration 5 out of place"},
		{"tunnel mode", []payload.Payload{esp(func(p *payload.Proposal) {
			p.Transforms[0].Attributes[0] = payload.BasicAttribute(payload.AttrEncapsulation, 1)
		}), nonce()}, payload.NotifyNoProposalChosen, "no quick mode proposal in common"},
		{"another DOI", []payload.Payload{&payload.SA{DOI: 2, Situation: 1, Proposals: good.Proposals}, nonce()}, payload.NotifyDOINotSupported, "DOI 2"},
		{"secrecy", []payload.Payload{&payload.SA{DOI: 1, Situation: 3, Proposals: good.Proposals}, nonce()}, payload.NotifySituationNotSupported, "situation 0x3"},
		{"no proposal", []payload.Payload{&payload.SA{DOI: 1, Situation: 1}, nonce()}, payload.NotifyBadProposalSyntax, "without a proposal"},
		{"no nonce", []payload.Payload{good}, payload.NotifyPayloadMalformed, "0 payloads of payload.Nonce"},
		{"short nonce", []payload.Payload{good, payload.Nonce{Data: run(0, 7)}}, payload.NotifyPayloadMalformed, "nonce of 7 bytes"},
		{"two SAs", []payload.Payload{good, good, nonce()}, payload.NotifyPayloadMalformed, "2 payloads of *payload.SA"},
		{"one identity", []payload.Payload{good, nonce(), me}, payload.NotifyInvalidIDInformation, "1 identities"},
		{"identity by name", []payload.Payload{good, nonce(), payload.ID{IDType: payload.IDFQDN, Data: []byte("a.example")}, you}, payload.NotifyInvalidIDInformation, "is not an address or a subnet"},
		{"somebody else", []payload.Payload{good, nonce(), id("10.0.0.9/32", 0, 0), you}, payload.NotifyInvalidIDInformation, "not the two peers"},
		{"a subnet in transport mode", []payload.Payload{good, nonce(), id("10.0.0.0/24", 0, 0), you}, payload.NotifyInvalidIDInformation, "not the two peers"},
		{"two protocols", []payload.Payload{good, nonce(), id("10.0.0.1/32", 6, 0), id("10.0.0.2/32", 17, 0)}, payload.NotifyInvalidIDInformation, "do not fit together"},
		{"two families", []payload.Payload{good, nonce(), id("2001:db8::1/128", 0, 0), you}, payload.NotifyInvalidIDInformation, "do not fit together"},
		{"no rule", []payload.Payload{good, nonce(), id("10.0.0.1/32", 17, 666), id("10.0.0.2/32", 17, 0)}, payload.NotifyInvalidIDInformation, "no rule negotiates for udp 10.0.0.2 > 10.0.0.1:666"},
		{"KE without PFS", []payload.Payload{good, nonce(), payload.KeyExchange{Data: run(0, 96)}}, payload.NotifyInvalidKeyInformation, "1 KE payloads"},
		{"PFS without KE", []payload.Payload{newSide(t, 9).offer(1), nonce()}, payload.NotifyInvalidKeyInformation, "0 KE payloads"},
		{"PFS with a bad public value", []payload.Payload{newSide(t, 9).offer(1), nonce(), payload.KeyExchange{Data: make([]byte, 96)}}, payload.NotifyInvalidKeyInformation, "not in the group"},
		{"PFS with a group that is unsupported", []payload.Payload{esp(func(p *payload.Proposal) {
			p.Transforms[0].Attributes = append(p.Transforms[0].Attributes, payload.BasicAttribute(payload.AttrSAGroup, 19))
		}), nonce()}, payload.NotifyNoProposalChosen, "pfs group 19"},
	} {
		t.Run(row.name, func(t *testing.T) {
			i, r := establish(t)
			r.give(i.forge(payload.QuickMode, 7, row.ps...))
			if row.want == 0 {
				require.Equal(t, payload.QuickMode, exchange(r.take()))
				require.Equal(t, 1, r.spis)
				return
			}
			require.Equal(t, row.want.String(), i.told(r.take()).String())
			g := r.log[len(r.log)-2].(trace.Negotiation)
			require.Equal(t, "failed", g.State)
			require.Contains(t, g.Reason, row.why)
			require.Zero(t, r.spis, "no SPI is left over")
			require.Empty(t, r.events)
		})
	}
}

// The SA payload stands right behind the hash, or it is no quick mode: nothing is answered, and the message ID stays free.
func TestQuickModeWithoutAnSAInFront(t *testing.T) {
	i, r := establish(t)
	for _, ps := range [][]payload.Payload{{nonce()}, {nonce(), i.offer(0)}, nil} {
		r.give(i.forge(payload.QuickMode, 7, ps...))
		require.Contains(t, r.note(), "ignored: quick mode message 1 without an SA payload")
		require.Empty(t, r.out)
	}
	r.give(i.forge(payload.QuickMode, 7, i.offer(0), nonce()))
	require.Equal(t, payload.QuickMode, exchange(r.take()))
}

func unhexed(s string) []byte {
	v := make([]byte, len(s)/2)
	for i := range v {
		v[i] = unhexDigit(s[2*i])<<4 | unhexDigit(s[2*i+1])
	}
	return v
}

func unhexDigit(c byte) byte { return byte(strings.IndexByte("0123456789abcdef", c)) }

func exchange(b []byte) payload.Exchange { return payload.Exchange(b[18]) }

// What a responder may do wrong in quick mode message 2.
func TestQuickModeChoices(t *testing.T) {
	for _, row := range []struct {
		name   string
		mutate func(ps []payload.Payload) []payload.Payload
		want   string
	}{
		{"fine", func(ps []payload.Payload) []payload.Payload { return ps }, ""},
		{"identities left out", func(ps []payload.Payload) []payload.Payload { return ps[:2] }, ""},
		{"another transform", func(ps []payload.Payload) []payload.Payload {
			ps[0].(*payload.SA).Proposals[0].Transforms[0].ID = payload.TransformESPAES
			return ps
		}, "responder chose a transform that was not offered"},
		{"another lifetime", func(ps []payload.Payload) []payload.Payload {
			as := ps[0].(*payload.SA).Proposals[0].Transforms[0].Attributes
			as[len(as)-1] = payload.LongAttribute(payload.AttrSALifeDuration, 5)
			return ps
		}, "responder chose a transform that was not offered"},
		{"two transforms", func(ps []payload.Payload) []payload.Payload {
			p := &ps[0].(*payload.SA).Proposals[0]
			p.Transforms = append(p.Transforms, p.Transforms[0])
			return ps
		}, "did not choose exactly one transform of one proposal"},
		{"no SPI", func(ps []payload.Payload) []payload.Payload {
			ps[0].(*payload.SA).Proposals[0].SPI = nil
			return ps
		}, "responder's SPI is"},
		{"other identities", func(ps []payload.Payload) []payload.Payload {
			ps[2] = payload.SelectorID(netip.MustParsePrefix("10.0.0.0/8"), 0, 0)
			return ps
		}, "responder changed the identities"},
		{"KE without PFS", func(ps []payload.Payload) []payload.Payload {
			return append(ps, payload.KeyExchange{Data: run(0, 96)})
		}, "1 KE payloads"},
		{"a lifetime of nonsense", func(ps []payload.Payload) []payload.Payload {
			return append(ps, payload.Notify{DOI: 1, Protocol: payload.ProtocolESP, NotifyType: payload.NotifyResponderLifetime, Data: unhexed("80020005")})
		}, "RESPONDER-LIFETIME with"},
	} {
		t.Run(row.name, func(t *testing.T) {
			i, r := establish(t)
			i.start()
			q := i.sa.quicks[0]
			i.take()
			p := i.offer(0)
			p.Proposals[0].SPI = unhexed("00001234")
			ps := row.mutate([]payload.Payload{p, nonce(), payload.SelectorID(q.outbound.Src, 0, 0), payload.SelectorID(q.outbound.Dst, 0, 0)})
			h2 := func(rest []byte) []byte { return r.sa.keys.hash.PRF(r.sa.keys.a, messageID(q.mid), q.ni, rest) }
			b, _, _ := r.sa.hashed(payload.QuickMode, q.mid, q.iv, h2, ps...)
			i.give(b)
			if row.want == "" {
				require.IsType(t, ike.EventSAs{}, i.events[len(i.events)-1])
				return
			}
			failed := i.events[len(i.events)-1].(ike.EventFailed)
			require.ErrorContains(t, failed.Err, row.want)
			require.NotZero(t, r.told(i.take()), "the responder is told")
			require.Zero(t, i.spis)
		})
	}
}

func TestInformational(t *testing.T) {
	i, r := establish(t)
	cookies := i.sa.spi()
	expires := i.sa.Expires()

	contact := payload.Notify{DOI: 1, Protocol: payload.ProtocolISAKMP, NotifyType: payload.NotifyInitialContact, SPI: cookies}
	b := r.forge(payload.Informational, 1, contact)
	i.give(b)
	require.Equal(t, ike.EventInitialContact{}, i.events[len(i.events)-1])
	events := len(i.events)
	i.give(b)
	require.Len(t, i.events, events, "a copy is not acted on again")
	require.Contains(t, i.note(), "message ID has been used")

	i.give(r.forge(payload.Informational, 2, ike.ResponderLifetime(payload.ProtocolISAKMP, cookies, ipsec.Lifetime{Duration: time.Minute})))
	require.Equal(t, now.Add(time.Minute), i.sa.Expires(), "the responder shortens the main mode")
	i.give(r.forge(payload.Informational, 3, ike.ResponderLifetime(payload.ProtocolISAKMP, cookies, ipsec.Lifetime{Duration: time.Hour})))
	require.Equal(t, now.Add(time.Minute), i.sa.Expires(), "and cannot make it longer")
	require.NotEqual(t, expires, i.sa.Expires())

	i.give(r.forge(payload.Informational, 4, payload.Notify{DOI: 1, Protocol: payload.ProtocolISAKMP, NotifyType: 40001}))
	require.Equal(t, "", i.note(), "an unknown status is read and means nothing")

	del := payload.Delete{DOI: 1, Protocol: payload.ProtocolESP, SPISize: 4, SPIs: [][]byte{unhexed("00001234")}}
	b = r.forge(payload.Informational, 5, del)
	b[len(b)-1] ^= 1
	i.give(b)
	require.Contains(t, i.note(), "ignored")
	require.Len(t, i.events, events, "a Delete whose hash fails deletes nothing")
	i.give(r.forge(payload.Informational, 5, del))
	require.Equal(t, ike.EventDeleteSAs{Remote: endpoint(2).Addr(), Protocol: ipsec.ESP, SPIs: []uint32{0x1234}}, i.events[len(i.events)-1],
		"and its message ID is not used up")

	other := append([]byte(nil), cookies...)
	other[0] ^= 1
	i.give(r.forge(payload.Informational, 6, payload.Delete{DOI: 1, Protocol: payload.ProtocolISAKMP, SPISize: 16, SPIs: [][]byte{other}}))
	require.True(t, i.sa.Established(), "the Delete of another main mode")
	i.give(r.forge(payload.Informational, 7, payload.Delete{DOI: 1, Protocol: payload.ProtocolISAKMP, SPISize: 16, SPIs: [][]byte{cookies}}))
	require.True(t, i.sa.Gone())
	require.IsType(t, ike.EventMainModeGone{}, i.events[len(i.events)-1])
}

// A protected error without an SPI belongs to the only quick mode under way; with two it is left alone.
func TestErrorWithoutSPI(t *testing.T) {
	i, r := establish(t)
	refusal := payload.Notify{DOI: 1, Protocol: payload.ProtocolISAKMP, NotifyType: payload.NotifyNoProposalChosen}
	i.start()
	i.start()
	events := len(i.events)
	i.give(r.forge(payload.Informational, 1, refusal))
	require.Len(t, i.events, events)
	refusal.Protocol, refusal.SPI = payload.ProtocolESP, binary.BigEndian.AppendUint32(nil, i.sa.quicks[1].own[ipsec.ESP])
	i.give(r.forge(payload.Informational, 2, refusal))
	require.Len(t, i.events, events+1, "an SPI says which")
	refusal.SPI = nil
	i.give(r.forge(payload.Informational, 3, refusal))
	require.ErrorIs(t, i.events[events+1].(ike.EventFailed).Err, &ike.PeerError{Notify: payload.NotifyNoProposalChosen})
}

// A lifetime that comes before message 2 in an exchange of its own, as Windows sends it.
func TestResponderLifetimeAhead(t *testing.T) {
	i, r := establish(t)
	i.start()
	i.give(r.forge(payload.Informational, 1, ike.ResponderLifetime(payload.ProtocolESP,
		binary.BigEndian.AppendUint32(nil, i.sa.quicks[0].own[ipsec.ESP]), ipsec.Lifetime{Duration: time.Minute, Kilobytes: 7})))
	r.give(i.take())
	i.give(r.take())
	require.Equal(t, ipsec.Lifetime{Duration: time.Minute, Kilobytes: 7}, i.events[len(i.events)-1].(ike.EventSAs).In[0].Lifetime)
}

func TestMessage5Identity(t *testing.T) {
	for _, row := range []struct {
		proto uint8
		port  uint16
		ok    bool
	}{{0, 0, true}, {17, 500, true}, {17, 499, false}, {6, 500, false}, {17, 0, false}} {
		i, r := begin(t)
		i.give(r.take())
		r.give(i.take())
		i.give(r.take())
		i.take() // our message 5; another one takes its place
		id := payload.ID{IDType: payload.IDFQDN, Protocol: row.proto, Port: row.port, Data: []byte("a.example")}
		h := i.sa.keys.authHash(i.sa.private.Public(), i.sa.peerKE, i.sa.cookies.Initiator, i.sa.cookies.Responder, i.sa.sai, payload.Body(id))
		b, iv := i.sa.sealed(payload.MainMode, 0, r.sa.iv, id, payload.Hash{Data: h})
		i.sa.iv = iv
		r.give(b)
		i.give(r.take())
		require.Equal(t, row.ok, r.sa.Established(), "%d/%d", row.proto, row.port)
		require.Equal(t, row.ok, i.sa.Established())
		if !row.ok {
			require.ErrorIs(t, i.sa.Err(), &ike.PeerError{Notify: payload.NotifyInvalidIDInformation}, "a protected notification does end a main mode")
		}
	}
}

// Nothing that is not authenticated moves a main mode, whatever it is.
func TestMainModeStaysPut(t *testing.T) {
	stray := func(s *side, x payload.Exchange, ps ...payload.Payload) []byte { return s.sa.clear(x, 0, ps...) }
	i, r := begin(t)
	message2 := r.take()
	before := i.sa.state
	for _, b := range [][]byte{
		stray(i, payload.Informational, payload.Notify{DOI: 1, Protocol: 1, NotifyType: payload.NotifyNoProposalChosen}),
		stray(i, payload.Informational, payload.Delete{DOI: 1, Protocol: 1, SPISize: 16, SPIs: [][]byte{i.sa.spi()}}),
		stray(i, payload.MainMode, payload.Nonce{Data: run(0, 8)}),
		stray(i, payload.QuickMode, nonce()),
		stray(i, payload.Aggressive, nonce()),
		stray(i, payload.MainMode),
	} {
		i.give(b)
		require.Contains(t, i.note(), "ignored")
		require.Equal(t, before, i.sa.state)
	}
	i.out = nil
	i.give(message2)
	require.Equal(t, awaits4, i.sa.state)
	message3 := i.take()

	// The responder awaits message 3: public values outside the group, missing and doubled payloads.
	for _, ps := range [][]payload.Payload{
		{payload.KeyExchange{Data: make([]byte, 96)}, nonce()},
		{payload.KeyExchange{Data: run(1, 95)}, nonce()},
		{payload.KeyExchange{Data: run(1, 96)}},
		{payload.KeyExchange{Data: run(1, 96)}, payload.KeyExchange{Data: run(1, 96)}, nonce()},
	} {
		r.give(i.sa.clear(payload.MainMode, 0, ps...))
		require.Contains(t, r.note(), "ignored: message 3 is awaited")
		require.Equal(t, awaits3, r.sa.state)
	}
	require.Equal(t, payload.Informational, exchange(r.take()), "the first one is answered")
	require.Empty(t, r.out, "the others are not")
	r.give(message3)
	require.Equal(t, awaits5, r.sa.state)
	i.give(r.take())
	message5 := i.take()
	noise := append([]byte(nil), message5...)
	noise[40] ^= 1
	r.give(noise)
	require.Equal(t, awaits5, r.sa.state)
	r.out = nil
	r.give(message5)
	require.True(t, r.sa.Established(), "the genuine message 5 after a forged one")
}

// An authenticated peer cannot make an SA keep quick modes without bound, nor use a message ID twice.
func TestQuickModesAreBounded(t *testing.T) {
	i, r := establish(t)
	for mid := uint32(1); mid <= maxPeerQuickModes+50; mid++ {
		r.give(i.forge(payload.QuickMode, mid, i.offer(0), nonce()))
	}
	require.Len(t, r.sa.quicks, maxPeerQuickModes)
	require.Contains(t, r.note(), "too many quick modes")
	r.sa.Advance(now.Add(5 * time.Minute))
	r.drain()
	require.Empty(t, r.sa.quicks)
	require.Zero(t, r.spis)
	r.give(i.forge(payload.QuickMode, 1, i.offer(0), nonce()))
	require.Empty(t, r.sa.quicks)
	require.Contains(t, r.note(), "message ID has been used")

	for mid := uint32(1); len(r.sa.used) < maxMessageIDs; mid++ {
		r.sa.used[usedID{payload.QuickMode, mid}] = struct{}{}
	}
	require.False(t, r.sa.Usable(now), "an SA that has seen very many message IDs is used up")
}

func TestRandomFails(t *testing.T) {
	i := newSide(t, 1)
	i.config.Rand = strings.NewReader("0123456789")
	sa, err := Initiate(&i.env, now, endpoint(1), endpoint(2), i.policy)
	require.NoError(t, err, "a cookie takes eight bytes")
	i.sa = sa
	i.start()
	i.drain()
	require.ErrorContains(t, i.events[len(i.events)-1].(ike.EventFailed).Err, "random bytes")
	_, err = Initiate(&i.env, now, endpoint(1), endpoint(2), i.policy)
	require.ErrorContains(t, err, "drawing 8 random bytes")
}

// A message in the clear may have padding behind its last payload, which makes its length a multiple of four
// (RFC 2408, Section 3.3), and nothing else.
func TestPaddingInTheClear(t *testing.T) {
	for behind, taken := range map[int]bool{0: true, 1: false, 2: true, 3: false, 4: false, 6: false} {
		i, r := newSide(t, 1), newSide(t, 2)
		i.policy.Aggressive, r.policy.Aggressive = true, true
		r.policy.Identity = ike.Identity{Type: payload.IDFQDN, Data: []byte("server")}
		beginWith(i, r)
		b := r.take()
		require.Equal(t, 2, len(b)%4)
		b = append(b, make([]byte, behind)...)
		binary.BigEndian.PutUint32(b[24:], uint32(len(b)))
		i.give(b)
		require.Equal(t, taken, i.sa.Established(), "%d bytes: %s", behind, i.note())
	}
}

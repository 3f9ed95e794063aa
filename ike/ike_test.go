package ike_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

type nobody struct{}

// byKey is authentication with a pre-shared key.
var byKey = []ike.Auth{{Method: ike.PreSharedKey, PreSharedKey: []byte("a pre-shared key of the tests")}}

func (nobody) MainMode(_, _ netip.Addr) (ike.MainMode, bool) { return ike.MainMode{}, false }
func (nobody) QuickMode(netip.Addr, ipsec.Selector) (ike.QuickMode, bool) {
	return ike.QuickMode{}, false
}
func (nobody) AllocateSPI(ipsec.Protocol) uint32 { return 256 }
func (nobody) ReleaseSPI(ipsec.Protocol, uint32) {}

func TestConfigCheck(t *testing.T) {
	good := func() ike.Config { return ike.Config{Rand: strings.NewReader(""), Policy: nobody{}, SPIs: nobody{}} }
	c := good()
	require.NoError(t, c.Check())
	require.Equal(t, ike.Windows2003Retransmit, c.Gaps())
	require.Equal(t, 20, c.NonceLength())
	require.Equal(t, 256, c.HalfOpenLimit())
	for want, spoil := range map[string]func(*ike.Config){
		"Config.Rand is nil":               func(c *ike.Config) { c.Rand = nil },
		"Config.Policy is nil":             func(c *ike.Config) { c.Policy = nil },
		"Config.SPIs is nil":               func(c *ike.Config) { c.SPIs = nil },
		"Config.Retransmit is empty":       func(c *ike.Config) { c.Retransmit = []time.Duration{} },
		"Config.Retransmit has a gap of 0": func(c *ike.Config) { c.Retransmit = []time.Duration{1, 0} },
		"Config.NonceLen is 7":             func(c *ike.Config) { c.NonceLen = 7 },
		"Config.NonceLen is 257":           func(c *ike.Config) { c.NonceLen = 257 },
		"Config.CommitWait is -1ns":        func(c *ike.Config) { c.CommitWait = -1 },
		"Config.MainModeSpread is -1s":     func(c *ike.Config) { c.MainModeSpread = -time.Second },
		"Config.MaxHalfOpen is -1":         func(c *ike.Config) { c.MaxHalfOpen = -1 },
	} {
		c := good()
		spoil(&c)
		require.ErrorContains(t, c.Check(), want)
	}
	for _, row := range []struct {
		setting, lifetime, want time.Duration
		ok                      bool
	}{
		{0, 8 * time.Hour, 159 * time.Second, true},
		{0, 3 * time.Minute, time.Minute, true}, // a third of the lifetime
		{time.Hour, 8 * time.Hour, time.Hour, true},
		{-1, 8 * time.Hour, -1, false},
	} {
		c.MainModeMargin = row.setting
		margin, ok := c.Margin(row.lifetime)
		require.Equal(t, row.ok, ok)
		require.Equal(t, row.want, margin)
	}
	require.Zero(t, c.Earlier(time.Hour), "nothing is drawn unless it is asked for")
	require.Equal(t, 7*time.Second, c.ConnectedWait())
	c.Retransmit = []time.Duration{time.Second}
	require.Equal(t, time.Second, c.ConnectedWait())
	c.CommitWait = time.Minute
	require.Equal(t, time.Minute, c.ConnectedWait())
	_, err := c.Random(1)
	require.ErrorContains(t, err, "drawing 1 random bytes")
}

// Successors are spread over the time that is set, or over a third of a short lifetime.
func TestMainModeSpread(t *testing.T) {
	c := ike.Config{Rand: rand.NewChaCha8([32]byte{1}), MainModeSpread: 10 * time.Minute}
	for lifetime, within := range map[time.Duration]time.Duration{8 * time.Hour: 10 * time.Minute, 9 * time.Minute: 3 * time.Minute} {
		least, most := within, time.Duration(0)
		for range 200 {
			d := c.Earlier(lifetime)
			least, most = min(least, d), max(most, d)
		}
		require.Less(t, least, within/20)
		require.Greater(t, most, within/20*19)
		require.Less(t, most, within)
	}
}

func TestRetransmitSchedule(t *testing.T) {
	var r ike.Retransmit
	now := time.Date(2005, 3, 30, 0, 0, 0, 0, time.UTC)
	require.False(t, r.Running())
	r.Start(now, ike.Windows2003Retransmit)
	var at []time.Duration
	for {
		deadline, on := r.Deadline()
		if !on {
			break
		}
		require.Equal(t, ike.DueNothing, r.Advance(deadline.Add(-1)))
		at = append(at, deadline.Sub(now))
		r.Advance(deadline)
	}
	s := time.Second
	require.Equal(t, []time.Duration{s, 3 * s, 7 * s, 15 * s, 31 * s, 63 * s, 95 * s}, at)
	require.Equal(t, 6, r.Copies(), "the last one is the end")
	require.Equal(t, ike.DueNothing, r.Advance(now.Add(time.Hour)))
	require.Equal(t, 95*s, ike.Span(ike.Windows2003Retransmit))
	require.Equal(t, 64*s, ike.Linger(ike.Windows2003Retransmit))

	r.Start(now, []time.Duration{s})
	require.Equal(t, ike.DueCopy, r.Advance(now.Add(time.Hour)), "one thing at a time, however late")
	require.Equal(t, ike.DueEnd, r.Advance(now.Add(time.Hour)))
	r.Start(now, []time.Duration{s})
	r.Stop()
	require.Equal(t, ike.DueNothing, r.Advance(now.Add(time.Hour)))
}

func TestErrors(t *testing.T) {
	err := fmt.Errorf("wrapped: %w", ike.Errorf(ike.CodeTimedOut, payload.NotifyNoProposalChosen, "no response to %s", "x"))
	require.Equal(t, ike.CodeTimedOut, ike.CodeOf(err))
	require.Equal(t, payload.NotifyNoProposalChosen, ike.NotifyOf(err))
	require.Equal(t, "no response to x", ike.ReasonOf(err))
	require.EqualError(t, &ike.Error{Reason: "a", Hint: "b"}, "ike: a (unauthenticated hint: b)")

	peer := &ike.PeerError{Notify: payload.NotifyInvalidIDInformation}
	require.EqualError(t, peer, "ike: the peer refused with INVALID-ID-INFORMATION")
	require.ErrorIs(t, fmt.Errorf("x: %w", peer), &ike.PeerError{Notify: payload.NotifyInvalidIDInformation})
	require.NotErrorIs(t, peer, &ike.PeerError{Notify: payload.NotifyNoProposalChosen})
	for n, code := range map[payload.NotifyType]ike.Code{
		payload.NotifyNoProposalChosen: 13868, payload.NotifyInvalidIDInformation: 13834, payload.NotifyInvalidKeyInformation: 13833,
		payload.NotifyAttributesNotSupported: 13802, payload.NotifyInvalidHashInformation: 13870, payload.NotifyAuthenticationFailed: 13801,
		payload.NotifyInvalidFlags: 13816,
	} {
		require.Equal(t, code, ike.CodeOf(&ike.PeerError{Notify: n}), n.String())
	}
	require.Equal(t, ike.CodeProcessing, ike.CodeOf(errors.New("x")))
	require.Zero(t, ike.NotifyOf(errors.New("x")))
	require.Equal(t, "x", ike.ReasonOf(errors.New("x")))
}

func TestIdentity(t *testing.T) {
	v4, v6 := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("2001:db8::1")
	require.Equal(t, payload.ID{IDType: payload.IDIPv4, Data: v4.AsSlice()}, ike.Identity{}.Payload(v4))
	require.Equal(t, payload.ID{IDType: payload.IDIPv6, Data: v6.AsSlice()}, ike.Identity{}.Payload(v6))
	named := ike.Identity{Type: payload.IDFQDN, Data: []byte("a.example")}
	require.Equal(t, payload.ID{IDType: payload.IDFQDN, Data: []byte("a.example")}, named.Payload(v4))
}

// What an offer of phase 1 says is what is read from it, for all that policy can name.
func TestMainModeOffers(t *testing.T) {
	var all []ike.MainModeProposal
	for _, cipher := range []string{"des-cbc", "3des-cbc", "aes128-cbc", "aes192-cbc", "aes256-cbc"} {
		for _, hash := range []string{"md5", "sha1", "sha256", "sha384", "sha512"} {
			for _, group := range []uint16{1, 2, 5, 14, 15, 16, 17, 18} {
				all = append(all, ike.MainModeProposal{Cipher: cipher, Hash: hash, Group: group})
			}
		}
	}
	offer, err := ike.OfferMainMode(ike.MainMode{Auth: byKey, Proposals: all, Lifetime: time.Hour})
	require.NoError(t, err)
	require.Len(t, offer.Proposals[0].Transforms, len(all))
	for i, p := range all {
		c, err := ike.SelectMainMode(offer, nil, ike.MainMode{Auth: byKey, Proposals: []ike.MainModeProposal{p}}, ike.InitiatorsOrder)
		require.NoError(t, err)
		require.Equal(t, p, c.Proposal)
		require.Equal(t, time.Hour, c.Lifetime)
		require.Equal(t, uint8(i+1), c.Transform.Number, "the choice keeps its number")
		back, err := ike.MatchMainMode(c.Reply(), offer)
		require.NoError(t, err)
		require.Equal(t, p, back.Proposal)
	}
	for _, p := range []ike.MainModeProposal{
		{Cipher: "aes128-gcm16", Hash: "sha1", Group: 2}, {Cipher: "rot13", Hash: "sha1", Group: 2},
		{Cipher: "null", Hash: "sha1", Group: 2}, {Cipher: "3des-cbc", Hash: "tiger", Group: 2}, {Cipher: "3des-cbc", Hash: "sha1", Group: 3},
	} {
		_, err := ike.OfferMainMode(ike.MainMode{Auth: byKey, Proposals: []ike.MainModeProposal{p}})
		require.ErrorContains(t, err, "main mode cannot use", p.String())
	}
	_, err = ike.OfferMainMode(ike.MainMode{Auth: byKey})
	require.ErrorContains(t, err, "has 0 proposals")
	_, err = ike.OfferMainMode(ike.MainMode{Proposals: all})
	require.ErrorContains(t, err, "has no method of authentication")
}

func TestMainModeOffersOfOthers(t *testing.T) {
	basic, long := payload.BasicAttribute, payload.LongAttribute
	policy := ike.MainMode{Auth: byKey, Proposals: []ike.MainModeProposal{{Cipher: "3des-cbc", Hash: "sha1", Group: 2}}}
	base := func(more ...payload.Attribute) []payload.Attribute {
		return append([]payload.Attribute{basic(1, 5), basic(2, 2), basic(3, 1), basic(4, 2)}, more...)
	}
	for _, row := range []struct {
		name string
		as   []payload.Attribute
		life time.Duration // 0: not acceptable
		why  string
	}{
		{"no lifetime: 28,800 s", base(), 28800 * time.Second, ""},
		{"duration as TV", base(basic(11, 1), basic(12, 600)), 600 * time.Second, ""},
		{"duration of eight bytes", base(basic(11, 1), payload.Attribute{Type: 12, Value: []byte{0, 0, 0, 0, 0, 0, 2, 0x58}}), 600 * time.Second, ""},
		{"kilobytes too", base(basic(11, 1), long(12, 600), basic(11, 2), long(12, 1000)), 600 * time.Second, ""},
		{"a duration that is too long to count", base(basic(11, 1), payload.Attribute{Type: 12, Value: []byte{255, 255, 255, 255, 255, 255, 255, 255}}), (1<<32 - 1) * time.Second, ""},
		{"no time at all", base(basic(11, 1), long(12, 0)), 0, "Life Duration 0 out of place"},
		{"a duration without a type", base(long(12, 600)), 0, "Life Duration 600 out of place"},
		{"a type without a duration", base(basic(11, 1)), 0, "life type 1 without a duration"},
		{"an unknown type", base(basic(11, 9), long(12, 600)), 0, "Life Type 9 out of place"},
		{"3DES with a key length", base(basic(14, 192)), 0, "Encryption Algorithm 3DES-CBC"},
		{"a PRF", base(basic(13, 1)), 0, "PRF 1"},
		{"DES", []payload.Attribute{basic(1, 1), basic(2, 2), basic(3, 1), basic(4, 2)}, 0, "des-cbc/sha1/2"},
		{"DES with a key length", []payload.Attribute{basic(1, 1), basic(2, 2), basic(3, 1), basic(4, 2), basic(14, 56)}, 0, "Encryption Algorithm DES-CBC"},
		{"IDEA", []payload.Attribute{basic(1, 2), basic(2, 2), basic(3, 1), basic(4, 2)}, 0, "Encryption Algorithm IDEA-CBC"},
		{"AES of 160 bits", []payload.Attribute{basic(1, 7), basic(14, 160), basic(2, 2), basic(3, 1), basic(4, 2)}, 0, "Encryption Algorithm AES-CBC"},
		{"AES without a key length", []payload.Attribute{basic(1, 7), basic(2, 2), basic(3, 1), basic(4, 2)}, 0, "Encryption Algorithm AES-CBC"},
		{"MD5", []payload.Attribute{basic(1, 5), basic(2, 1), basic(3, 1), basic(4, 2)}, 0, "3des-cbc/md5/2"},
		{"Tiger", []payload.Attribute{basic(1, 5), basic(2, 3), basic(3, 1), basic(4, 2)}, 0, "Hash Algorithm Tiger"},
		{"signatures", []payload.Attribute{basic(1, 5), basic(2, 2), basic(3, 3), basic(4, 2)}, 0, "3des-cbc/sha1/2, RSA signatures, policy accepts 3des-cbc/sha1/2, pre-shared key"},
		{"an elliptic curve", []payload.Attribute{basic(1, 5), basic(2, 2), basic(3, 1), basic(4, 19)}, 0, "Group Description 256-bit random ECP group"},
		{"nothing", nil, 0, "Authentication Method 0"},
	} {
		t.Run(row.name, func(t *testing.T) {
			offer := payload.NewSA(
				payload.Proposal{Number: 1, Protocol: payload.ProtocolESP, Transforms: []payload.Transform{{Number: 1, ID: 3}}},
				payload.Proposal{Number: 2, Protocol: payload.ProtocolISAKMP, SPI: []byte{1, 2, 3}, Transforms: []payload.Transform{
					{Number: 1, ID: 77}, {Number: 2, ID: 1, Attributes: row.as},
				}})
			c, err := ike.SelectMainMode(offer, nil, policy, ike.InitiatorsOrder)
			if row.life == 0 {
				require.ErrorContains(t, err, row.why)
				require.ErrorContains(t, err, "PROTO_IPSEC_ESP, transform 77")
				require.Equal(t, ike.CodePolicyMatch, ike.CodeOf(err))
				require.Equal(t, payload.NotifyNoProposalChosen, ike.NotifyOf(err))
				return
			}
			require.NoError(t, err)
			require.Equal(t, row.life, c.Lifetime)
			require.Equal(t, uint8(2), c.Number)
			require.Equal(t, row.as, c.Transform.Attributes, "unmodified")
		})
	}
}

func TestMainModeChoices(t *testing.T) {
	m := ike.MainMode{Auth: byKey, Proposals: []ike.MainModeProposal{{Cipher: "3des-cbc", Hash: "sha1", Group: 2}}}
	offer, err := ike.OfferMainMode(m)
	require.NoError(t, err)
	two := payload.NewSA(offer.Proposals[0], offer.Proposals[0])
	_, err = ike.MatchMainMode(two, offer)
	require.ErrorContains(t, err, "did not choose exactly one transform")
	other, err := ike.OfferMainMode(ike.MainMode{Auth: byKey, Proposals: []ike.MainModeProposal{{Cipher: "3des-cbc", Hash: "sha256", Group: 2}}})
	require.NoError(t, err)
	_, err = ike.MatchMainMode(other, offer)
	require.ErrorContains(t, err, "not offered")
	require.Equal(t, ike.CodeAttributes, ike.CodeOf(err))
}

// RFC 2409, Appendix A: a duration that was offered in four bytes may come back in
// two, and the other way round; any other change is no choice from the offer.
func TestDurationsEncodedAnew(t *testing.T) {
	short := payload.BasicAttribute
	for _, row := range []struct {
		name  string
		reply func(payload.Attribute) payload.Attribute
		ok    bool
	}{
		{"as basic", func(a payload.Attribute) payload.Attribute { return short(a.Type, 3600) }, true},
		{"in eight bytes", func(a payload.Attribute) payload.Attribute {
			return payload.Attribute{Type: a.Type, Value: []byte{0, 0, 0, 0, 0, 0, 0x0e, 0x10}}
		}, true},
		{"another value", func(a payload.Attribute) payload.Attribute { return short(a.Type, 3601) }, false},
		{"in no bytes", func(a payload.Attribute) payload.Attribute { return payload.Attribute{Type: a.Type} }, false},
	} {
		answer := func(offer *payload.SA, duration uint16) *payload.SA {
			p := offer.Proposals[0]
			tr := p.Transforms[0]
			tr.Attributes = slices.Clone(tr.Attributes)
			for i, a := range tr.Attributes {
				if a.Type == duration {
					tr.Attributes[i] = row.reply(a)
				}
			}
			p.Transforms = []payload.Transform{tr}
			return payload.NewSA(p)
		}
		t.Run(row.name, func(t *testing.T) {
			offer, err := ike.OfferMainMode(ike.MainMode{
				Auth:      byKey,
				Proposals: []ike.MainModeProposal{{Cipher: "aes256-cbc", Hash: "sha256", Group: 14}}, Lifetime: time.Hour,
			})
			require.NoError(t, err)
			m, err := ike.MatchMainMode(answer(offer, payload.AttrLifeDuration), offer)
			require.Equal(t, row.ok, err == nil, "%v", err)
			offer, err = ike.OfferQuickMode(ike.QuickMode{Proposals: []ipsec.Proposal{{
				Transforms: []ipsec.Transform{{Protocol: ipsec.ESP, Cipher: "3des-cbc", Auth: "hmac-sha1-96"}},
				Mode:       ipsec.Transport, Lifetime: ipsec.Lifetime{Duration: time.Hour},
			}}}, 0, spis)
			require.NoError(t, err)
			q, err := ike.MatchQuickMode(answer(offer, payload.AttrSALifeDuration), offer)
			require.Equal(t, row.ok, err == nil, "%v", err)
			if row.ok {
				require.Equal(t, []time.Duration{time.Hour, time.Hour}, []time.Duration{m.Lifetime, q.Proposal.Lifetime.Duration})
			}
			// Of a basic attribute there is but one form: "MUST NOT be encoded as variable".
			basic := answer(offer, 0)
			for i, a := range basic.Proposals[0].Transforms[0].Attributes {
				basic.Proposals[0].Transforms[0].Attributes[i].Basic = a.Basic && a.Type != payload.AttrAuth
			}
			_, err = ike.MatchQuickMode(basic, offer)
			require.ErrorContains(t, err, "not offered")
		})
	}
}

// A long offer makes a short sentence.
func TestReasonIsBounded(t *testing.T) {
	p := payload.Proposal{Number: 1, Protocol: payload.ProtocolISAKMP}
	for i := range 255 {
		p.Transforms = append(p.Transforms, payload.Transform{Number: uint8(i), ID: 9})
	}
	_, err := ike.SelectMainMode(payload.NewSA(p, p, p), nil, ike.MainMode{}, ike.InitiatorsOrder)
	require.ErrorContains(t, err, "753 more, policy accepts nothing")
	require.Less(t, len(err.Error()), 400)
}

func TestShorter(t *testing.T) {
	l := func(s time.Duration, kB uint64) ipsec.Lifetime { return ipsec.Lifetime{Duration: s, Kilobytes: kB} }
	require.Equal(t, l(1, 2), ike.Shorter(l(1, 0), l(0, 2)))
	require.Equal(t, l(1, 2), ike.Shorter(l(1, 5), l(3, 2)))
	require.Equal(t, l(0, 0), ike.Shorter(l(0, 0), l(0, 0)))
}

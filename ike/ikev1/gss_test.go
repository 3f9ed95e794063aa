package ikev1

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// mechanism is a GSS-API mechanism of the tests: tokens are the names under a key that
// a third party shares with both, and wrapping is a MAC in front.
type mechanism struct {
	name string
	key  []byte
	bad  error // of Accept
}

func (m *mechanism) Identity() string { return m.name }
func (m *mechanism) mac(what string, parts ...string) []byte {
	h := hmac.New(sha1.New, m.key)
	h.Write([]byte(what))
	for _, p := range parts {
		h.Write([]byte(p))
	}
	return h.Sum(nil)
}

func (m *mechanism) Initiate(_ time.Time, peer string) (ike.GSSContext, []byte, error) {
	return &context{m, peer}, m.mac("AP-REQ", m.name, peer), nil
}

func (m *mechanism) Accept(_ time.Time, peer string, token []byte) (ike.GSSContext, []byte, error) {
	if m.bad != nil {
		return nil, nil, m.bad
	}
	if !hmac.Equal(token, m.mac("AP-REQ", peer, m.name)) {
		return nil, nil, errors.New("the ticket is for somebody else")
	}
	return &context{m, peer}, m.mac("AP-REP", m.name, peer), nil
}

type context struct {
	*mechanism
	peer string
}

func (c *context) Peer() string { return c.peer }
func (c *context) Finish(token []byte) error {
	if !hmac.Equal(token, c.mac("AP-REP", c.peer, c.name)) {
		return errors.New("the acceptor does not know the session key")
	}
	return nil
}
func (c *context) Wrap(plain []byte) ([]byte, error) {
	return append(c.mac("wrap", string(plain)), plain...), nil
}
func (c *context) Unwrap(b []byte) ([]byte, error) {
	if len(b) < sha1.Size || !hmac.Equal(b[:sha1.Size], c.mac("wrap", string(b[sha1.Size:]))) {
		return nil, errors.New("not wrapped by the peer")
	}
	return b[sha1.Size:], nil
}

// byGSS are two sides that authenticate by GSS-API alone.
func byGSS(t *testing.T) (i, r *side, initiator, responder *mechanism) {
	i, r = newSide(t, 1), newSide(t, 2)
	initiator, responder = &mechanism{name: "host/a.example", key: []byte("k")}, &mechanism{name: "host/bü.example", key: []byte("k")}
	i.policy.Auth = []ike.Auth{{Method: ike.GSSAPI, GSS: initiator}}
	r.policy.Auth = []ike.Auth{{Method: ike.GSSAPI, GSS: responder}}
	return i, r, initiator, responder
}

// Messages as they are on the wire, and the hashes computed from them by the draft alone.
func TestGSS(t *testing.T) {
	i, r, _, _ := byGSS(t)
	beginWith(i, r)
	sent := func(s *side, number int) trace.IKEMessage {
		for _, b := range s.log {
			if m, ok := b.(trace.IKEMessage); ok && m.Sent && m.Number == number && m.Exchange == "main mode" {
				return m
			}
		}
		t.Fatalf("no message %d", number)
		return trace.IKEMessage{}
	}
	sai := i.sa.sai
	require.Contains(t, string(payload.Append(nil, i.sa.offer)), "h\x00o\x00s\x00t\x00/\x00a\x00.\x00e\x00x\x00a\x00m\x00p\x00l\x00e\x00", "UTF-16LE, no terminator")
	i.give(r.take())
	require.Equal(t, "host/bü.example", i.sa.choice.GSSName(), "the responder's SA names the responder")
	require.Equal(t, "host/a.example", r.sa.choice.GSSName())
	r.give(i.take())
	i.give(r.take())
	gxi, gxr, keys := i.sa.private.Public(), r.sa.private.Public(), r.sa.keys
	r.give(i.take())
	require.True(t, r.sa.Established())
	i.give(r.take())
	require.True(t, i.sa.Established())
	for _, n := range []int{3, 4} {
		s := i
		if n == 4 {
			s = r
		}
		require.Equal(t, "GSS-API Token", sent(s, n).Payloads[2].Name)
	}

	// HASH = prf(SKEYID, g^x | g^y | CKY | CKY | SAi_b | ID_b | identity name | token), inside Wrap.
	k := []byte("k")
	tag := func(parts ...string) []byte {
		h := hmac.New(sha1.New, k)
		for _, p := range parts {
			h.Write([]byte(p))
		}
		return h.Sum(nil)
	}
	utf16 := func(s string) []byte {
		var b []byte
		for _, c := range s { // all in the basic plane
			b = append(b, byte(c), byte(c>>8))
		}
		return b
	}
	c := i.sa.cookies
	for _, row := range []struct {
		of                *side
		number            int
		own, other        []byte
		first, second, id []byte
		name              string
		token             []byte
	}{
		{i, 5, gxi, gxr, c.Initiator[:], c.Responder[:], []byte{1, 0, 0, 0, 10, 0, 0, 1}, "host/a.example", tag("AP-REQ", "host/a.example", "host/bü.example")},
		{r, 6, gxr, gxi, c.Responder[:], c.Initiator[:], []byte{1, 0, 0, 0, 10, 0, 0, 2}, "host/bü.example", tag("AP-REP", "host/bü.example", "host/a.example")},
	} {
		h := hmac.New(sha1.New, keys.skeyid)
		h.Write(bytes.Join([][]byte{row.own, row.other, row.first, row.second, sai, row.id, utf16(row.name), row.token}, nil))
		hash := h.Sum(nil)
		want := append(tag("wrap", string(hash)), hash...)
		fields := sent(row.of, row.number).Payloads
		require.Equal(t, "Hash", fields[1].Name)
		require.Equal(t, want, unhexed(fields[1].Value), "message %d", row.number)
	}
}

// Who has no part in the mechanism is not let in, and is told why.
func TestGSSRefused(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(initiator, responder *mechanism)
		why    string
		code   ike.Code
	}{
		{"another key at the initiator", func(i, _ *mechanism) { i.key = []byte("x") }, "the ticket is for somebody else", ike.CodeKerberos},
		{"a code of the mechanism's own", func(_, r *mechanism) { r.bad = ike.Errorf(13855, payload.NotifyAuthenticationFailed, "no credentials") }, "no credentials", 13855},
	} {
		t.Run(row.name, func(t *testing.T) {
			i, r, initiator, responder := byGSS(t)
			row.change(initiator, responder)
			beginWith(i, r)
			i.give(r.take())
			r.give(i.take())
			require.Contains(t, r.note(), row.why)
			require.False(t, r.sa.Established())
			for range 40 {
				at, ok := r.sa.NextDeadline()
				if !ok {
					break
				}
				r.sa.Advance(at)
				r.drain()
			}
			require.True(t, r.sa.Dead())
			require.Equal(t, row.code, ike.CodeOf(r.sa.Err()))
		})
	}
}

// 65001 is the number of GSS-API and of XAUTH: the vendor ID of the peer says which.
func TestGSSOrXAUTH(t *testing.T) {
	i, _, _, _ := byGSS(t)
	offer, err := ike.OfferMainMode(i.policy)
	require.NoError(t, err)
	gss, xauth := payload.VendorID{Data: ike.GSSVendorID}, payload.VendorID{Data: ike.XAUTHVendorID}
	select65001 := func(vendors ...payload.VendorID) (ike.MainModeChoice, error) {
		return ike.SelectMainMode(offer, vendors, i.policy, ike.InitiatorsOrder)
	}
	for _, vendors := range [][]payload.VendorID{{gss}, {gss, xauth}} {
		c, err := select65001(vendors...)
		require.NoError(t, err)
		require.Equal(t, ike.GSSAPI, c.Method)
	}
	for _, vendors := range [][]payload.VendorID{{}, {xauth}} {
		_, err := select65001(vendors...)
		require.ErrorContains(t, err, "65001 without a vendor ID that says what it means")
	}
	// Without the identity name, from who speaks XAUTH, it is XAUTH.
	only := &offer.Proposals[0].Transforms[0]
	only.Attributes = slices.DeleteFunc(only.Attributes, func(a payload.Attribute) bool { return a.Type == payload.AttrGSSIdentity })
	_, err = select65001(xauth)
	require.ErrorContains(t, err, "XAUTHInitPreShared, policy accepts")
	_, err = select65001(gss)
	require.NoError(t, err)
}

// Aggressive mode is not for GSS-API, and neither is XAUTH beside it.
func TestGSSAlone(t *testing.T) {
	i, _, m, _ := byGSS(t)
	i.policy.Aggressive = true
	_, err := ike.OfferMainMode(i.policy)
	require.ErrorContains(t, err, "aggressive mode with GSS-API is unsupported")
	for _, a := range []ike.Auth{{Method: ike.GSSAPI}, {Method: ike.GSSAPI, GSS: &mechanism{}}, {Method: ike.GSSAPI, GSS: m, XAuth: &ike.XAuth{Asks: true, Users: []ike.User{{Name: "u", Password: "p"}}}}} {
		require.Error(t, a.Check())
	}
}

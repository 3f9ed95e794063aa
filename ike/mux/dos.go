package mux

import (
	"crypto/hmac"
	"crypto/sha256"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
)

// Denial of service protection, MS-IKEE, 3.9: message 1 is answered with a cookie in a
// notification, and forgotten. Only its copy that has the cookie as the responder's,
// and so comes from where it says, starts a main mode, of which that is the cookie
// from then on. What is sent to an address that proves nothing is shorter than what came.

// secrets are what the cookies are made of. They change, so that a cookie that somebody
// has collected is of no use later (RFC 2408, Section 2.5.3); the one before is
// still good, for whoever is under way.
type secrets struct {
	since         time.Time
	current, last []byte
}

// secretLife is longer than a peer on the schedule of Windows repeats itself.
const secretLife = 2 * time.Minute

// renew changes the secret when it is time to.
func (s *secrets) renew(now time.Time, c *ike.Config) error {
	if s.current != nil && now.Before(s.since.Add(secretLife)) {
		return nil
	}
	b, err := c.Random(sha256.Size)
	if err != nil {
		return err
	}
	s.last, s.current = s.current, b
	if !now.Before(s.since.Add(2 * secretLife)) {
		s.last = nil
	}
	s.since = now
	return nil
}

// cookie is that for a message of the peer. It is never zero, which would be none.
func cookie(secret []byte, d ike.Datagram, initiator payload.Cookie) (c payload.Cookie) {
	mac := hmac.New(sha256.New, secret)
	mac.Write(initiator[:])
	for _, end := range []interface{ MarshalBinary() ([]byte, error) }{d.Local, d.Remote} {
		b, _ := end.MarshalBinary() // which never fails
		mac.Write([]byte{byte(len(b))})
		mac.Write(b)
	}
	copy(c[:], mac.Sum(nil))
	c[0] |= 1
	return c
}

// returns reports whether a first message has the cookie that its sender was given.
func (s *secrets) returns(d ike.Datagram, h payload.Header) bool {
	for _, secret := range [][]byte{s.current, s.last} {
		if want := cookie(secret, d, h.CookieI); secret != nil && hmac.Equal(h.CookieR[:], want[:]) {
			return true
		}
	}
	return false
}

// again reports whether a message of an unknown main mode may be message 1 with
// the cookie of this mode.
func (m *Mux) again(h payload.Header) bool {
	return m.config.DoSProtection && h.Exchange != payload.Informational && h.Next == payload.TypeSA && h.CookieR != (payload.Cookie{})
}

// admitted reports whether a first message may start a main mode. In this mode
// the sender of one that may not is told the cookie to send.
func (m *Mux) admitted(now time.Time, d ike.Datagram, h payload.Header) bool {
	if !m.config.DoSProtection {
		return true
	}
	if err := m.secrets.renew(now, &m.config); err != nil {
		m.refused(d, h, err.Error())
		return false
	}
	if m.secrets.returns(d, h) {
		return true
	}
	// Of aggressive mode, the SA payload says whether the bodies of others are encrypted.
	if chain, _, err := payload.Split(h.Next, d.Payload[payload.HeaderLen:]); err != nil || len(chain) == 0 || chain[0].Payload.Type() != payload.TypeSA || payload.Decode(chain[:1]) != nil {
		m.invalid(d, h, "no sound first message")
		return false
	}
	c := cookie(m.secrets.current, d, h.CookieI)
	m.ignored(d, h, "its sender shall send back a cookie first")
	m.inform(d, payload.Header{CookieI: h.CookieI}, payload.Notify{
		DOI: payload.DOIIPsec, Protocol: payload.ProtocolISAKMP, NotifyType: payload.NotifyMSDoSCookie, Data: c[:],
	})
	return false
}

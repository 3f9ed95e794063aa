package mux

import (
	"encoding/binary"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// Messages that belong to no SA.

// invalid is ignored for a datagram that is no message that anybody could act on.
func (m *Mux) invalid(d ike.Datagram, h payload.Header, why string) {
	m.env.Statistics.InvalidPackets++
	m.ignored(d, h, why)
}

// refused is ignored for a sound first message that this host does not take.
func (m *Mux) refused(d ike.Datagram, h payload.Header, why string) {
	m.env.Statistics.ReceiveFailures++
	m.ignored(d, h, why)
}

// ignored traces a datagram that changes nothing. h is zero when there is no header.
func (m *Mux) ignored(d ike.Datagram, h payload.Header, why string) {
	r := trace.IKEMessage{
		Local: d.Local.String(), Remote: d.Remote.String(), Length: len(d.Payload), Note: "ignored: " + why,
		CookieI: h.CookieI[:], CookieR: h.CookieR[:], MessageID: h.MessageID, Encrypted: h.Flags&payload.Encrypted != 0,
	}
	if h.Length != 0 {
		r.Exchange = h.Exchange.String()
		if !r.Encrypted {
			if chain, _, err := payload.Parse(h.Next, d.Payload[payload.HeaderLen:]); err == nil {
				r.Payloads = ike.Describe(chain)
			}
		}
	}
	m.config.Record(r)
}

// unknownCookies ignores a message under an SA that does not exist, and says so
// when it is of an exchange that the peer waits for (RFC 2408, Section 5.2).
func (m *Mux) unknownCookies(now time.Time, d ike.Datagram, h payload.Header) {
	m.env.Statistics.InvalidCookies++
	m.ignored(d, h, "no main mode has these cookies")
	if h.Exchange == payload.QuickMode || h.Exchange == payload.MainMode || h.Exchange == payload.Aggressive {
		m.notify(now, d, h, payload.NotifyInvalidCookie)
	}
}

// notify answers a stray message in the clear, within the budget. The cookies
// are those of the message, so that its sender can find its SA.
func (m *Mux) notify(now time.Time, d ike.Datagram, to payload.Header, n payload.NotifyType) {
	if _, ok := m.config.Policy.MainMode(d.Local.Addr(), d.Remote.Addr()); !ok || !m.notices.take(now, d.Remote.Addr()) {
		return
	}
	m.inform(d, payload.Header{CookieI: to.CookieI, CookieR: to.CookieR}, payload.Notify{
		DOI: payload.DOIIPsec, Protocol: payload.ProtocolISAKMP, NotifyType: n, SPI: append(append([]byte(nil), to.CookieI[:]...), to.CookieR[:]...),
	})
}

// inform answers a message with a notification in the clear. h has its cookies.
func (m *Mux) inform(d ike.Datagram, h payload.Header, p payload.Notify) {
	mid, err := m.config.Random(4)
	if err != nil {
		return
	}
	h.Next, h.Version, h.Exchange, h.MessageID = p.Type(), payload.Version1, payload.Informational, max(1, binary.BigEndian.Uint32(mid))
	b := payload.Append(h.Append(nil), p)
	payload.SetLength(b)
	m.config.Record(trace.IKEMessage{
		Sent: true, Local: d.Local.String(), Remote: d.Remote.String(), CookieI: h.CookieI[:], CookieR: h.CookieR[:],
		Exchange: h.Exchange.String(), MessageID: h.MessageID, Number: 1, Length: len(b), Note: "unprotected: " + p.NotifyType.String(),
		Payloads: ike.Describe([]payload.Item{{Payload: p}}),
	})
	m.events = append(m.events, ike.EventSend{Datagram: ike.Datagram{Local: d.Local, Remote: d.Remote, Payload: b}})
}

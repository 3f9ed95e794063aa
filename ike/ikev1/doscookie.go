package ikev1

import (
	"bytes"
	"time"

	"github.com/ipseclab/ipseclab/ike/payload"
)

// maxEchoes is how many cookies of a responder a main mode sends back: more than one, as
// the responder's secret may change meanwhile, and not any number, as anybody can give out
// some who sees our cookie.
const maxEchoes = 3

// echo sends message 1 again with the cookie that a responder in denial of service protection
// mode wants to see first: "the same as message #1, except that the Responder Cookie field …
// is the cookie from the notify" (MS-IKEE, 3.9.5.2). From then on it is the one that is repeated.
func (sa *SA) echo(now time.Time, m *message) bool {
	if sa.state != awaits2 || sa.env.Config.NoDoSCookie || sa.echoes == maxEchoes || m.MessageID == 0 || m.parse() != nil || len(m.chain) != 1 {
		return false
	}
	n, ok := m.chain[0].Payload.(payload.Notify)
	if !ok || n.NotifyType != payload.NotifyMSDoSCookie || len(n.Data) != len(payload.Cookie{}) || payload.Cookie(n.Data) == (payload.Cookie{}) {
		return false
	}
	sa.heard(m, 1, "the responder wants its cookie back")
	sa.echoes++
	o := &sa.last
	o.msg = bytes.Clone(o.msg)
	copy(o.msg[len(payload.Cookie{}):], n.Data)
	o.record.CookieR, o.record.Retransmit, o.record.Note = bytes.Clone(n.Data), 0, "with the cookie that the responder wants back"
	o.timer.Start(now, sa.env.Config.Gaps())
	sa.transmit(now, o)
	return true
}

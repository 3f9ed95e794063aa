package ikev1

import (
	"time"

	"github.com/ipseclab/ipseclab/ike/payload"
)

// Encrypted notifications before the end of main mode. RFC 2409 gives informational
// exchanges an IV of phase 1 as it ends; Windows sends some of them before that, and takes
// a block of ciphertext for the IV: towards peers of the versions 2 to 5 (Windows 2000,
// XP, Server 2003 and Vista) the last block that it has sent, towards others the last
// one that it has decrypted (MS-IKEE, product note 12).

// lastBlock is the last block of ciphertext of a message; where it is not encrypted, the first IV of phase 1.
func (sa *SA) lastBlock(msg []byte) []byte {
	if n := sa.keys.block.BlockSize(); len(msg) >= payload.HeaderLen+n && payload.Flags(msg[19])&payload.Encrypted != 0 {
		return msg[len(msg)-n:]
	}
	if sa.private == nil {
		return nil // main mode is over, and both have sent what is encrypted
	}
	gxi, gxr := sa.private.Public(), sa.peerKE
	if !sa.initiator {
		gxi, gxr = gxr, gxi
	}
	return sa.keys.iv(gxi, gxr)
}

// early reads a notification that the peer has encrypted as Windows does before the end
// of main mode. The responder can be done with it when the initiator refuses message 6.
// The HASH tells whether it is one.
func (sa *SA) early(m *message) bool {
	if sa.state != awaits5 && sa.state != awaits6 && (sa.state != established || sa.initiator || sa.quickModes > 0) {
		return false
	}
	// What we have heard last is what it has sent last, and the reverse.
	for _, msg := range [][]byte{sa.heardLast, sa.last.msg} {
		if iv := sa.lastBlock(msg); iv != nil && m.authenticate(sa.keys, iv, sa.hash1(m.MessageID)) == nil {
			return true
		}
	}
	return false
}

// tellRefusal tells the peer what is wrong with message m of main mode.
func (sa *SA) tellRefusal(now time.Time, m *message, n payload.NotifyType) {
	if !sa.env.Config.ProtectNotify || sa.state != awaits5 && sa.state != awaits6 {
		if sa.state == awaits2 { // the cookie is not accepted yet; the responder finds its SA by it
			sa.cookies.Responder = m.CookieR
			defer func() { sa.cookies.Responder = payload.Cookie{} }()
		}
		sa.notifyClear(now, &outgoing{}, n)
		return
	}
	iv := sa.lastBlock(m.raw)
	if v, ok := sa.microsoftVersion(); ok && v >= 2 && v <= 5 {
		iv = sa.lastBlock(sa.last.msg)
	}
	mid, err := sa.newMessageID()
	if err != nil {
		return // the exchange ends by its schedule
	}
	p := payload.Notify{DOI: payload.DOIIPsec, Protocol: payload.ProtocolISAKMP, NotifyType: n, SPI: sa.spi()}
	msg, _, ps := sa.hashed(payload.Informational, mid, iv, sa.hash1(mid), p)
	sa.used[usedID{payload.Informational, mid}] = struct{}{}
	sa.send(now, &outgoing{}, msg, 1, false, "", ps...)
}

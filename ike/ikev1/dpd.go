package ikev1

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
)

// Dead peer detection, RFC 3706, Section 5.2:
//
//	HDR*, HASH(1), N(R-U-THERE)  -->
//	                             <--  HDR*, HASH(1), N(R-U-THERE-ACK)
//
// A copy of a query would have a message ID that has been used. So each try is a query
// of its own, with the next sequence number; an answer to any of them is a sign of life.

// liveness is what an SA knows of its peer being alive.
type liveness struct {
	at    time.Time // when to look at it next; zero: never
	next  uint32    // sequence number of our next query
	tries int       // queries that have not been answered, up to next
	heard uint32    // sequence number of the peer's latest query, while asked is set
	asked bool
}

// dpdWindow is how far a query may be ahead of the one before. RFC 3706, Section 6.2
// leaves it open; what is between them was lost.
const dpdWindow = 128

// watch begins to look after the peer of an SA that has just been established.
func (sa *SA) watch(now time.Time) {
	d := sa.env.Config.DPD
	if d.Enabled && d.Idle > 0 && sa.peerHas(payload.VendorDPD) {
		sa.liveness.at = now.Add(d.Idle)
	}
}

// check asks the peer whether it is there, if there is reason to worry, or finds it dead.
func (sa *SA) check(now time.Time) {
	d, l := sa.env.Config.DPD, &sa.liveness
	var out time.Time
	seen := sa.since
	if sa.lastHeard.After(seen) {
		seen = sa.lastHeard
	}
	if sa.env.Config.Traffic != nil {
		var in time.Time
		if in, out = sa.env.Config.Traffic(sa.remote); in.After(seen) {
			seen = in
		}
	}
	quiet := now.Before(seen.Add(d.Idle))
	switch {
	case quiet:
		l.tries, l.at = 0, seen.Add(d.Idle)
		return
	case l.tries == 0 && (!out.After(seen) || !sa.env.Newest(sa)):
		l.at = now.Add(d.Idle) // nobody misses the peer, or another main mode looks after it
		return
	case l.tries == d.Limit():
		sa.emit(ike.EventPeerDead{})
		sa.Kill(now, "deleted", ike.Errorf(ike.CodePeerSilent, 0, "the peer is dead: silent for %v, and %d times R-U-THERE was not answered", now.Sub(seen), l.tries), false)
		return
	}
	if l.next == 0 && l.tries == 0 {
		b, err := sa.env.Config.Random(4)
		if err != nil {
			sa.problem = ike.Errorf(ike.CodeProcessing, 0, "%v", err)
			l.at = time.Time{}
			return
		}
		l.next = binary.BigEndian.Uint32(b) &^ (1 << 31) // so that it does not roll over, RFC 3706, Section 6.2
	}
	sa.dpd(now, payload.NotifyRUThere, binary.BigEndian.AppendUint32(nil, l.next))
	l.next++
	l.tries++
	l.at = now.Add(d.Wait())
}

// dpd sends one of the two notifications, RFC 3706, Section 5.3.
func (sa *SA) dpd(now time.Time, t payload.NotifyType, sequence []byte) {
	sa.inform(now, payload.Notify{
		DOI: payload.DOIIPsec, Protocol: payload.ProtocolISAKMP, NotifyType: t, SPI: sa.spi(), Data: sequence,
	})
}

// outOfTurn is what is wrong with the notifications of dead peer detection in a genuine message; "": nothing.
func (sa *SA) outOfTurn(chain []payload.Item) string {
	for _, n := range payload.All[payload.Notify](chain) {
		if n.NotifyType == payload.NotifyRUThere || n.NotifyType == payload.NotifyRUThereAck {
			if why := sa.dpdFault(n); why != "" {
				return "ignored: " + why
			}
		}
	}
	return ""
}

func (sa *SA) dpdFault(n payload.Notify) string {
	l := &sa.liveness
	switch {
	case !sa.env.Config.DPD.Enabled:
		return "this host has no dead peer detection"
	case sa.state != established:
		return "there is no main mode whose peer could be dead"
	case len(n.Data) != 4 || !bytes.Equal(n.SPI, sa.spi()):
		return "it does not name this main mode and a sequence number"
	}
	sequence := binary.BigEndian.Uint32(n.Data)
	switch {
	case n.NotifyType == payload.NotifyRUThereAck && l.next-1-sequence >= uint32(l.tries):
		return fmt.Sprintf("sequence number %d was not asked for", sequence)
	case n.NotifyType == payload.NotifyRUThere && l.asked && sequence-l.heard > dpdWindow:
		return fmt.Sprintf("sequence number %d does not follow %d", sequence, l.heard)
	}
	return ""
}

// alive takes a notification of dead peer detection, which is genuine.
func (sa *SA) alive(now time.Time, n payload.Notify) {
	l := &sa.liveness
	switch {
	case sa.dpdFault(n) != "":
	case n.NotifyType == payload.NotifyRUThereAck:
		l.tries, l.at = 0, now.Add(sa.env.Config.DPD.Idle)
	default:
		l.asked, l.heard = true, binary.BigEndian.Uint32(n.Data)
		sa.dpd(now, payload.NotifyRUThereAck, n.Data)
	}
}

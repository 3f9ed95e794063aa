package ikev1

import (
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
)

// Close ends the SA. For an established one the trace gets state and the
// reason, the peer a Delete if it is to be told, and requests under way come
// back as EventUnserved. One that is not established yet has failed.
//
// A closed SA lingers: quick modes that we respond to come to their end under
// it, copies are answered, and a late Delete is heard; else a message lost at
// the wrong moment would leave one side alone with a pair. Windows keeps a
// deleted main mode for its quick modes too (MS-IKEE, product note 26).
func (sa *SA) Close(now time.Time, state string, reason error, tell bool) {
	if sa.state == established {
		for _, q := range slices.Clone(sa.quicks) {
			if q.state == quickAwaits4 {
				q.finish(now) // both sides have all that the pair takes
			}
		}
		sa.gone(now, state, reason, tell)
		sa.linger(now, ike.Span(sa.env.Config.Gaps()))
	} else {
		sa.Kill(now, state, reason, tell)
	}
}

// linger keeps the SA for a while, and for as long as a Delete of ours may be repeated.
func (sa *SA) linger(now time.Time, d time.Duration) {
	if len(sa.deletions) > 0 {
		d = max(d, ike.Span(sa.env.Config.ReliableDelete.Gaps()))
	}
	sa.state, sa.until = lingering, now.Add(d)
}

// Kill is Close without lingering: nothing of the SA remains but, where the peer is
// told, the Deletes that it is to acknowledge (MS-IKEE, 3.8.7.1).
func (sa *SA) Kill(now time.Time, state string, reason error, tell bool) {
	switch sa.state {
	case dead:
		return
	case established:
		sa.gone(now, state, reason, tell)
	case refused, lingering:
	case configuring:
		if tell {
			sa.giveUp(now, reason)
			return
		}
		sa.fail(reason)
		return
	default:
		sa.fail(reason)
		return
	}
	sa.abandonAll(reason)
	sa.state, sa.err, sa.quicks = dead, reason, nil
	if tell && len(sa.deletions) > 0 {
		sa.killed = true
		sa.linger(now, 0)
	}
}

// gone announces the end of an established SA.
func (sa *SA) gone(now time.Time, state string, reason error, tell bool) {
	if tell {
		sa.farewell = sa.sendDelete(now, payload.ProtocolISAKMP, sa.spi())
	}
	for _, q := range slices.Clone(sa.quicks) {
		if q.pending() && q.initiator {
			q.abandon(reason)
			sa.forget(q)
			sa.emit(ike.EventUnserved{Request: q.request, Attempts: q.attempts, Err: reason})
		}
	}
	sa.err = reason
	sa.last.timer.Stop()
	sa.stopAsking()
	sa.release()
	sa.negotiated(state, reason)
	sa.emit(ike.EventMainModeGone{Local: sa.local.Addr(), Remote: sa.remote.Addr(), Cookies: sa.cookies, Reason: ike.ReasonOf(reason)})
}

func (sa *SA) abandonAll(reason error) {
	for _, q := range sa.quicks {
		if q.pending() {
			q.abandon(reason)
		}
	}
}

// retire closes an SA that may not be used for another quick mode once its last one is over.
func (sa *SA) retire(now time.Time) {
	if sa.state != established || !sa.spent() {
		return
	}
	if sa.Busy() {
		return
	}
	reason := ike.Errorf(ike.CodeQuickModeLimit, 0, "the quick modes of this main mode are used up")
	if sa.choice.Kilobytes > 0 && sa.volume >= 1024*sa.choice.Kilobytes {
		reason = ike.Errorf(ike.CodeMainModeExpired, 0, "main mode has encrypted %d kilobytes", sa.choice.Kilobytes)
	}
	sa.Close(now, "deleted", reason, true)
}

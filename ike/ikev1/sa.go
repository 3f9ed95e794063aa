package ikev1

import (
	"bytes"
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/suite"
)

// Env is what the ISAKMP SAs of one host share.
type Env struct {
	Config *ike.Config
	// Alone reports that the host has no other SA of any kind with the peer of
	// sa, nor another main mode under way: then INITIAL-CONTACT is sent.
	Alone func(now time.Time, sa *SA) bool
	// Newest reports that no main mode with the peer of sa was established after it.
	Newest func(sa *SA) bool
	// Known reports an established main mode with an address.
	Known func(netip.Addr) bool
	// MayNotify takes one from the budget of unprotected notifications to an address.
	MayNotify func(now time.Time, to netip.Addr) bool
	// Statistics count what happens under all of them.
	Statistics ike.Statistics

	fragmentID uint16 // of the latest message that was cut, MS-IKEE, 3.3.1
	waiting    int    // bytes of fragments that wait for others

	leases []*lease // inner addresses in use
}

// state is what an SA waits for. The initiator goes from awaits2 to awaits4,
// awaits6 and established, the responder from awaits3 to awaits5 and
// established; each sends the message before the awaited one on entering. Both pass
// through configuring where policy has something to be done there.
type state uint8

const (
	dead        state = iota // nothing: to be forgotten
	awaits2                  // initiator: the choice from our offer
	awaits3                  // responder: KE and nonce
	awaits4                  // initiator: KE and nonce
	awaits5                  // responder: the initiator's proof
	awaits6                  // initiator: the responder's proof
	configuring              // both: the ends of the steps before the first quick mode
	established              // the end of the lifetime, or a Delete
	refused                  // responder: nothing but copies of message 1, which get the refusal again
	lingering                // both: the ends of quick modes that were under way when the SA was deleted
)

// SA is one ISAKMP SA: a main mode, and what happens under it.
type SA struct {
	env           *Env
	local, remote netip.AddrPort
	initiator     bool
	aggressive    bool // phase 1 is an aggressive mode
	cookies       ike.Cookies
	policy        ike.MainMode
	state         state
	err           error // why it is dead
	events        []ike.Event

	// main mode
	offer               *payload.SA // initiator
	sai                 []byte      // SA body of message 1 as sent, RFC 2409, Section 5
	choice              ike.MainModeChoice
	group               *suite.Group
	private             *suite.PrivateKey
	peerKE              []byte
	method              method
	ownID               payload.ID
	claimed             payload.ID    // what the peer calls itself
	claimedBody         func() []byte // the body of that payload as received
	requested           [][]byte      // names of the authorities of which the peer wants a certificate
	peerID              string        // what the peer calls itself, once it has proved who it is
	vendors             vendors
	ownNonce, peerNonce []byte
	keys                *keys
	last                outgoing // our last message of main mode
	heardLast           []byte   // the peer's last one
	until               time.Time
	problem             *ike.Error   // the latest thing wrong with a message that was dropped
	hint                string       // the latest unprotected notification
	decision            ike.Decision // responder: about the offer, for the trace
	showing             bool         // the proof of who we are has been made
	echoes              int          // cookies sent back to a responder that wants to see one first

	natt        traversal
	fragmenting bool // we send in fragments what is too large, see toBeCut
	queues      []*reassembly

	// between phase 1 and the first quick mode, see proceed
	underway     step
	transactions []*transaction
	patience     ike.Retransmit // with the peer, which has something to start
	impatient    error          // the end of it
	contact      bool           // INITIAL-CONTACT waits for the end of the steps
	xauth        *ike.XAuth     // that of the method of authentication
	xauthID      uint16
	questions    int    // for a user, so far
	denied       error  // why there is no user; the SA ends with it
	user         string // that has proved who it is, or that we are to the peer
	assignment   *ike.Assignment
	gave         bool // the assignment, to the peer
	lease        *lease
	privateGroup *suite.Group // of new group mode
	judgedGroup  bool

	// phase 1 is over
	iv         []byte    // the last block of phase 1 so far; fixed once established
	since      time.Time // established
	lifetime   time.Duration
	offered    ipsec.Lifetime // zero: what was chosen
	asked      ipsec.Lifetime // for the trace: what RESPONDER-LIFETIME asks for
	expires    time.Time
	aging      time.Time // when it is to be replaced; zero: never, or done
	volume     uint64    // bytes encrypted by either side since message 5
	lastHeard  time.Time // the latest genuine message under the SA
	hasEnd     bool      // the peer has sent something under it, and so has the end of phase 1
	used       map[usedID]struct{}
	quicks     []*quick // under way, or kept to answer copies
	quickModes int      // started under the SA, by either side
	farewell   outgoing // our Delete of the SA
	liveness   liveness
	deletions  []*deletion
	answered   []answeredDelete
	killed     bool // lingers for nothing but deletions
}

// usedID is a message ID that has been used. The exchange is part of it, since it
// stands in the header, outside the hash: a message given out as one of another
// exchange must not keep the genuine one out.
type usedID struct {
	exchange payload.Exchange
	id       uint32
}

// maxMessageIDs bounds what an SA remembers of message IDs, which must never
// come twice; an SA that has seen so many is used up.
const maxMessageIDs = 1 << 16

// maxPeerQuickModes bounds what an authenticated peer can have under way at a time.
const maxPeerQuickModes = 256

// Usable reports whether a quick mode can be started. Where the number of quick
// modes is limited only the side that started the main mode uses it: else both
// could take the last one at the same time, and each would refuse the other's.
// Shortly before its end an SA is not used either: copies of messages 2 and 3
// must still find it, or one side alone would have the pair.
func (sa *SA) Usable(now time.Time) bool {
	margin := min(ike.Linger(sa.env.Config.Gaps()), sa.lifetime/10)
	return sa.state == established && !sa.spent() && now.Add(margin).Before(sa.expires) && (sa.initiator || sa.policy.QuickModes == 0)
}

// spent reports that no quick mode may be started any more.
func (sa *SA) spent() bool {
	return sa.policy.QuickModes > 0 && sa.quickModes >= sa.policy.QuickModes || len(sa.used) >= maxMessageIDs ||
		sa.choice.Kilobytes > 0 && sa.volume >= 1024*sa.choice.Kilobytes
}

// count adds to what the SA has encrypted. Past four fifths of what it may, it is to be replaced.
func (sa *SA) count(now time.Time, ciphertext int) {
	sa.volume += uint64(ciphertext)
	if limit := 1024 * sa.choice.Kilobytes; limit > 0 && sa.volume >= limit/5*4 && !sa.aging.IsZero() && sa.aging.After(now) {
		sa.aging = now
	}
}

// NextEvent takes the oldest event that has not been taken.
func (sa *SA) NextEvent() (ike.Event, bool) {
	if len(sa.events) == 0 {
		return nil, false
	}
	e := sa.events[0]
	if sa.events = sa.events[1:]; len(sa.events) == 0 {
		sa.events = nil // or it would keep the event
	}
	return e, true
}

func (sa *SA) emit(e ike.Event) { sa.events = append(sa.events, e) }

// HandleDatagram takes a datagram whose header h has been read and whose
// cookies are those of the SA, as far as both are known. Its payload is kept.
func (sa *SA) HandleDatagram(now time.Time, d ike.Datagram, h payload.Header) {
	raw := d.Payload
	m := &message{Header: h, raw: raw, local: d.Local, remote: d.Remote}
	switch {
	case sa.state == dead:
	case sa.misplaced(m) != "":
		sa.ignore(m, 0, sa.misplaced(m))
	case h.Next == payload.TypeFragment && sa.env.Config.Fragmentation.Form != ike.NoFragments:
		sa.fragment(now, m)
	case h.Exchange == payload.Informational:
		sa.informational(now, m)
	case h.CookieR != sa.cookies.Responder && sa.state != awaits2 && !bytes.Equal(raw, sa.heardLast): // message 1 has none
		sa.env.Statistics.InvalidCookies++
		sa.heard(m, 0, "ignored: the responder's cookie is another one")
	case h.Exchange == sa.phase1() && h.MessageID != 0:
		sa.ignore(m, 0, "phase 1 has no message ID") // RFC 2408, Section 3.1
	case h.Exchange == sa.phase1():
		sa.mainMode(now, m)
	case h.Exchange == payload.QuickMode:
		sa.quickMode(now, m)
	case h.Exchange == payload.Transaction || h.Exchange == payload.NewGroup:
		sa.transact(now, m)
	default:
		sa.ignore(m, 0, h.Exchange.String()+" is unsupported")
	}
}

// NextDeadline is when Advance is to be called.
func (sa *SA) NextDeadline() (at time.Time, ok bool) {
	earliest := func(t time.Time) {
		if !ok || t.Before(at) {
			at, ok = t, true
		}
	}
	if t, on := sa.last.timer.Deadline(); on {
		earliest(t)
	}
	switch sa.state {
	case dead:
		return time.Time{}, false
	case refused, lingering:
		earliest(sa.until)
	case configuring:
		earliest(sa.expires)
		if t, on := sa.patience.Deadline(); on {
			earliest(t)
		}
	case established:
		earliest(sa.expires)
		if !sa.aging.IsZero() {
			earliest(sa.aging)
		}
		if !sa.liveness.at.IsZero() {
			earliest(sa.liveness.at)
		}
	}
	for _, q := range sa.quicks {
		earliest(q.deadline())
	}
	for _, t := range sa.transactions {
		earliest(t.deadline())
	}
	for _, r := range sa.queues {
		earliest(r.until)
	}
	for _, d := range sa.deletions {
		if t, on := d.last.timer.Deadline(); on {
			earliest(t)
		}
	}
	return at, ok
}

// Advance does what has come due by now.
func (sa *SA) Advance(now time.Time) {
	for {
		at, ok := sa.NextDeadline()
		if !ok || now.Before(at) {
			return
		}
		sa.step(now)
	}
}

// step does one thing that is due.
func (sa *SA) step(now time.Time) {
	switch sa.last.timer.Advance(now) {
	case ike.DueCopy:
		sa.sendAgain(now, &sa.last, "")
		return
	case ike.DueEnd:
		sa.unanswered()
		return
	}
	if sa.repeatDeletes(now) || sa.expireFragments(now) || sa.advanceTransactions(now) {
		return
	}
	switch {
	case (sa.state == refused || sa.state == lingering) && !now.Before(sa.until):
		sa.abandonAll(sa.err)
		sa.state = dead
	case sa.state == configuring && sa.patience.Advance(now) == ike.DueEnd:
		sa.giveUp(now, sa.impatient)
	case sa.state == configuring && !now.Before(sa.expires):
		sa.giveUp(now, ike.Errorf(ike.CodeMainModeExpired, 0, "main mode expired after %v, before it was up", sa.lifetime))
	case sa.state == established && !now.Before(sa.expires):
		sa.Close(now, "expired", ike.Errorf(ike.CodeMainModeExpired, 0, "main mode expired after %v", sa.lifetime), true)
	case sa.state == established && !sa.aging.IsZero() && !now.Before(sa.aging):
		sa.aging = time.Time{}
		sa.emit(ike.EventMainModeAging{})
	case sa.state == established && !sa.liveness.at.IsZero() && !now.Before(sa.liveness.at):
		sa.check(now)
	default:
		for _, q := range sa.quicks {
			if !now.Before(q.deadline()) {
				sa.advanceQuick(now, q)
				return
			}
		}
	}
}

// laterExchanges are those under an SA, which have message IDs.
var laterExchanges = []payload.Exchange{payload.QuickMode, payload.Informational, payload.Transaction, payload.NewGroup}

// newMessageID draws a message ID that this SA has not seen, RFC 2408, Section 3.1.
func (sa *SA) newMessageID() (uint32, error) {
	for {
		b, err := sa.env.Config.Random(4)
		if err != nil {
			return 0, err
		}
		id := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
		if id != 0 && !slices.ContainsFunc(laterExchanges, func(x payload.Exchange) bool { _, again := sa.used[usedID{x, id}]; return again }) {
			return id, nil
		}
	}
}

package ike

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// Config is what an engine needs from its host.
type Config struct {
	Rand   io.Reader        // cookies, nonces, private keys; mandatory
	Policy Policy           // what to offer and accept; mandatory
	SPIs   SPIAllocator     // inbound SPIs; mandatory
	Trace  func(trace.Body) // nil is off
	Audit  func(Audit)      // told of the outcomes of negotiations; nil: nobody is

	Retransmit []time.Duration // gaps between copies of an unanswered message; nil: Windows2003Retransmit
	// SilentResponder has the responder of an exchange repeat nothing but its
	// answer to a copy, as MS-IKEE, 3.1.5 says of Windows; false is what was
	// measured, see Windows2003Retransmit.
	SilentResponder bool

	// Preference is whose order decides when we choose from an offer.
	Preference Preference
	// ShortenMainMode has the responder of a main mode keep to its own lifetime where
	// that is shorter, and say so with RESPONDER-LIFETIME (RFC 2407, Section 4.6.3.1).
	// Else it takes what is offered without a word, as HP's J4256-90025, p. 44 saw Windows do.
	ShortenMainMode bool
	// ShortDurations has life durations that fit into two bytes sent as basic attributes (TV).
	// Both forms are allowed (RFC 2409, Appendix A; RFC 2407, Section 4.5) and understood; else
	// all are variable ones (TLV), as implementations in the field send them.
	ShortDurations bool
	// PFSMustMatch has the responder of a quick mode refuse perfect forward secrecy that its
	// policy does not ask for. Else it accepts, as that is only stronger; what Windows does is
	// not published.
	PFSMustMatch bool
	// NoInitialContact has the initiator of a main mode not say that it has no other
	// SA with the peer, which RFC 2407, Section 4.6.3.3 lets it say; see ikev1.Env.
	NoInitialContact bool

	NonceLen  int      // bytes of a nonce, 8 to 256 (RFC 2409, Section 5); 0: 20
	VendorIDs [][]byte // sent in the first message of each side
	// FastFailover adds Vid-Initial-Contact to message 1 of a main mode with an address that
	// we have no established main mode with (MS-IKEE, 3.5.4). A cluster would answer it with
	// NLBS_PRESENT, and then idle SAs would end sooner (3.6): the lab has no clusters, and takes no
	// notice of that.
	FastFailover bool

	// MainModeMargin is how long before its end a main mode that we started is
	// replaced by a new one, while pairs of SAs with the peer live that may want it;
	// the old one serves until it ends. At most a third of the lifetime. 0: the
	// schedule of an unanswered message, and the time at its end in which a main mode
	// takes no new quick mode, 159 s by default. Negative: it ends, and the next
	// request starts another. What Windows does is not published.
	MainModeMargin time.Duration
	// MainModeSpread has each of them be replaced earlier still, by a time from 0 to this
	// that is drawn for it, so that main modes that end together are not all replaced
	// together: a peer takes only so many at a time, see MaxHalfOpen. At most a
	// third of the lifetime. 0: no draw. What Windows does is not published.
	MainModeSpread time.Duration

	// Commit has the responder of a quick mode set the commit bit, and so make the
	// initiator wait for CONNECTED (RFC 2408, Section 3.1). Whether Windows ever does is unconfirmed.
	Commit bool
	// CommitWait is how long we wait for CONNECTED when a peer asks for it. Then the
	// SAs are used without: the bit is in no hash, and anybody on the way can set it.
	// 0: the first three gaps of the schedule, 7 s by default.
	CommitWait time.Duration

	// ProtectNotify has the notification that refuses message 5 or 6 of main mode be
	// encrypted, as MS-IKEE, 3.1.5 says of Windows. Then whoever alters message 5 can have
	// the responder end the main mode at the initiator; false sends it in the clear, as a hint.
	ProtectNotify bool

	ReliableDelete ReliableDelete // Deletes that are acknowledged
	Fragmentation  Fragmentation  // messages that are sent in fragments
	DPD            DPD            // dead peer detection
	NAT            NATTraversal   // the zero value is none
	Traffic        Traffic        // for DPD; nil: nobody knows, and no peer is asked

	// Conflict is asked by the responder of a quick mode about each outbound SA that would come of it, of
	// which there are no SPIs and keys yet: why this host does not want it beside those that it has (RFC 3948,
	// Section 5); "": it does. nil: nobody objects.
	Conflict func(out ipsec.SAParams) (why string)

	// DoSProtection has the responder of a main mode keep nothing of message 1, until it
	// comes with a cookie that its sender was given first, in a notification of Microsoft's:
	// MS-IKEE, 3.9. Windows XP and Server 2003 do so at once and all the time if
	// EnableDOSProtect in the registry is 1, which it is not by itself (product note 29).
	DoSProtection bool
	// NoDoSCookie has the initiator not know that notification, as peers of other makers: it
	// gets no answer from a responder in that mode.
	NoDoSCookie bool

	// MaxHalfOpen bounds main modes that peers have started and not finished: so many
	// of which one message has come, and so many of which more have; 0: 256. See package mux.
	MaxHalfOpen int
	// MaxHalfOpenPerSource bounds those of one address, in the same way; 0: 35, which is the number
	// of Windows for the former (MS-IKEE, product note 29).
	MaxHalfOpenPerSource int
}

// Check reports what is missing or out of range.
func (c *Config) Check() error {
	switch {
	case c.Rand == nil:
		return errors.New("ike: Config.Rand is nil: give the host's random stream")
	case c.Policy == nil:
		return errors.New("ike: Config.Policy is nil: give the host's policy, which may be empty")
	case c.SPIs == nil:
		return errors.New("ike: Config.SPIs is nil: give the allocator of the host's SAD")
	case c.Retransmit != nil && len(c.Retransmit) == 0:
		return errors.New("ike: Config.Retransmit is empty: leave it nil for the default, or name at least one gap")
	case c.NonceLen != 0 && (c.NonceLen < payload.MinNonce || c.NonceLen > payload.MaxNonce):
		return fmt.Errorf("ike: Config.NonceLen is %d, must be %d to %d (RFC 2409, Section 5)", c.NonceLen, payload.MinNonce, payload.MaxNonce)
	case c.CommitWait < 0:
		return fmt.Errorf("ike: Config.CommitWait is %v, must not be negative", c.CommitWait)
	case c.MainModeSpread < 0:
		return fmt.Errorf("ike: Config.MainModeSpread is %v, must not be negative", c.MainModeSpread)
	case c.MaxHalfOpen < 0:
		return fmt.Errorf("ike: Config.MaxHalfOpen is %d, must not be negative", c.MaxHalfOpen)
	case c.MaxHalfOpenPerSource < 0:
		return fmt.Errorf("ike: Config.MaxHalfOpenPerSource is %d, must not be negative", c.MaxHalfOpenPerSource)
	}
	for _, g := range c.Retransmit {
		if g <= 0 {
			return fmt.Errorf("ike: Config.Retransmit has a gap of %v, must be positive", g)
		}
	}
	return errors.Join(c.ReliableDelete.check(), c.Fragmentation.check(), c.DPD.check(), c.NAT.check())
}

// Gaps is the retransmission schedule in force.
func (c *Config) Gaps() []time.Duration {
	if c.Retransmit == nil {
		return Windows2003Retransmit
	}
	return c.Retransmit
}

// Vendors are the vendor IDs of our first message: those of VendorIDs, and of the
// extensions that are switched on, each once.
func (c *Config) Vendors() [][]byte {
	all := slices.Clone(c.VendorIDs)
	extensions := [][]byte{c.Fragmentation.vendorID()}
	for _, d := range c.NAT.Dialects {
		extensions = append(extensions, d.VendorID()) // behind FRAGMENTATION, where Windows XP was seen to have it
	}
	for _, id := range append(extensions, c.DPD.vendorID()) {
		if id != nil && !slices.ContainsFunc(all, func(o []byte) bool { return bytes.Equal(o, id) }) {
			all = append(all, id)
		}
	}
	return all
}

// NonceLength is the length of our nonces in bytes.
func (c *Config) NonceLength() int {
	if c.NonceLen == 0 {
		return 20
	}
	return c.NonceLen
}

// HalfOpenLimit is the bound on unfinished main modes of peers, of each kind.
func (c *Config) HalfOpenLimit() int {
	if c.MaxHalfOpen == 0 {
		return 256
	}
	return c.MaxHalfOpen
}

// SourceLimit is the bound on those of one address.
func (c *Config) SourceLimit() int {
	if c.MaxHalfOpenPerSource == 0 {
		return 35
	}
	return c.MaxHalfOpenPerSource
}

// Margin is how long before its end a main mode of the given lifetime is replaced; false: never.
func (c *Config) Margin(lifetime time.Duration) (time.Duration, bool) {
	margin := c.MainModeMargin
	if margin == 0 {
		margin = Span(c.Gaps()) + Linger(c.Gaps())
	}
	return min(margin, lifetime/3), margin > 0
}

// Earlier draws how much earlier than its margin says a main mode of the given lifetime is replaced.
func (c *Config) Earlier(lifetime time.Duration) time.Duration {
	spread := min(c.MainModeSpread, lifetime/3)
	if spread <= 0 {
		return 0
	}
	b, err := c.Random(8)
	if err != nil {
		return 0 // whoever needs more than a little time says so
	}
	return time.Duration(binary.BigEndian.Uint64(b) % uint64(spread))
}

// ConnectedWait is how long CONNECTED is waited for.
func (c *Config) ConnectedWait() time.Duration {
	if c.CommitWait != 0 {
		return c.CommitWait
	}
	var d time.Duration
	for i, g := range c.Gaps() {
		if i < 3 {
			d += g
		}
	}
	return d
}

// Random draws n bytes.
func (c *Config) Random(n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(c.Rand, b); err != nil {
		return nil, fmt.Errorf("ike: drawing %d random bytes: %w", n, err)
	}
	return b, nil
}

// Record hands an event to the trace, when there is one.
func (c *Config) Record(b trace.Body) {
	if c.Trace != nil {
		c.Trace(b)
	}
}

// Windows2003Retransmit are the gaps measured on Windows 2000, XP and Server
// 2003 responders (ike-scan 1.9.5, back-off patterns). Server 2003's first one was
// anything from 0.5 to 1.5 s; the lab takes the middle. MS-IKEE, 3.1.5 says that a
// responder sets no such timer; the measurement is the default, for both roles,
// and Config.SilentResponder the other side of the conflict.
var Windows2003Retransmit = []time.Duration{
	1 * time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second,
}

// Policy answers an engine's questions about its host's IPsec policy. Answers
// may differ from call to call: the host changes policies while an engine runs.
type Policy interface {
	// MainMode is what to offer to, or accept from, the peer. false: no rule
	// concerns this peer, so that nothing is offered and nothing answered.
	MainMode(local, remote netip.Addr) (MainMode, bool)
	// QuickMode is what to accept from a peer for traffic in the selector, given as its
	// outbound half (local to remote). false: no rule negotiates for it with that peer.
	QuickMode(remote netip.Addr, outbound ipsec.Selector) (QuickMode, bool)
}

// MainMode is the policy for phase 1 with one peer.
type MainMode struct {
	Proposals  []MainModeProposal // in order of preference
	Auth       []Auth             // in order of preference; one of each method at most
	Lifetime   time.Duration      // 0: 8 hours (MS-GPIPSEC, 2.2.1.2)
	Kilobytes  uint64             // what it may encrypt, in units of 1024 bytes; 0: any amount
	QuickModes int                // quick modes per main mode; 0 is unlimited, 1 is master key PFS

	// Identity is what to call ourselves where a pre-shared key proves it; the zero value
	// is the local address. With certificates the certificate has it.
	Identity Identity

	// AuthFirst has an offer name all proposals with the first method of authentication
	// before any with the second. Else all methods come with the first proposal, then with
	// the second. What Windows does is not published.
	AuthFirst bool

	// Aggressive has phase 1 be an aggressive mode (RFC 2409, Section 5), where we start
	// it, and has us answer those of peers. It is off unless asked for: whoever listens
	// sees who talks, and without public key encryption the hash of a pre-shared key, at
	// which words can be tried offline (claim C229).
	Aggressive bool

	// ModeConfig gives or takes an inner address between phase 1 and the first quick mode; nil: none.
	ModeConfig *ModeConfig
	// NewGroups is new group mode; the zero value is off.
	NewGroups NewGroups
}

// By is the policy's way of authentication by a method.
func (m MainMode) By(method AuthMethod) (Auth, bool) {
	for _, a := range m.Auth {
		if a.Method == method {
			return a, true
		}
	}
	return Auth{}, false
}

// MainModeProposal is one set of phase 1 algorithms. Names are those of package suite.
type MainModeProposal struct {
	Cipher string
	Hash   string
	Group  uint16 // IANA number
}

// QuickMode is the policy for one class of traffic.
type QuickMode struct {
	Proposals []ipsec.Proposal // in order of preference
	PFS       bool
	PFSGroup  uint16 // 0 with PFS: the group of the main mode
	PFSless   bool   // without PFS: what is offered with it is not accepted

	// PrivateGroup is the number of a group that new group mode has agreed on under the main
	// mode, for an engine to fill in; 0: none. It is the group of PFS that names none.
	PrivateGroup uint16
	// UDP is encapsulation of ESP in UDP, for an engine to fill in.
	UDP UDPEncapsulation

	PolicyID int    // of the deciding SPD entry
	Rule     string // its name
}

// SPIAllocator hands out inbound SPIs that no SA of the host uses.
type SPIAllocator interface {
	AllocateSPI(p ipsec.Protocol) uint32
	// ReleaseSPI gives back an SPI that no SA came of.
	ReleaseSPI(p ipsec.Protocol, spi uint32)
}

// Request asks for a pair of SAs for outbound traffic, on the driver's behalf.
type Request struct {
	ID        uint64 // of the acquire; comes back in the events
	Local     netip.Addr
	Remote    netip.Addr
	Selector  ipsec.Selector // outbound half
	QuickMode QuickMode
	Replaces  uint32 // rekey: the inbound SPI of the pair to be replaced; else 0
}

// Datagram is one UDP payload between two endpoints.
type Datagram struct {
	Local, Remote netip.AddrPort
	Payload       []byte
}

// DefaultLifetime is the life of an SA whose negotiation names none: in seconds
// for an IPsec SA (RFC 2407, Section 4.5), and Windows' main mode (MS-GPIPSEC, 2.2.1.2).
const DefaultLifetime = 28800 * time.Second

// Life is the lifetime in force.
func (m MainMode) Life() time.Duration {
	if m.Lifetime == 0 {
		return DefaultLifetime
	}
	return m.Lifetime
}

package esp

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"time"

	"github.com/ipseclab/ipseclab/esp/replay"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// Config is what a Pipeline needs from its host.
type Config struct {
	Rand  io.Reader        // SPIs; mandatory
	Trace func(trace.Body) // nil is off
	Rekey Rekey

	// Discarded is told of each packet that arrived and was discarded, with the source
	// address that it gave; nil is off. Block filters do not count.
	Discarded func(c Cause, from netip.Addr)

	// Ended is told of each pair of SAs that has ended, by its inbound SAs, outermost
	// first, and why; nil is off.
	Ended func(in []ipsec.SAParams, reason string)

	// TrustSPI leaves out the check that an opened packet fits the selector of
	// its SA (RFC 4301, Section 5.2, step 4), which Windows is documented not to
	// make (HP J4256-90025, page 42).
	TrustSPI bool

	// Checksums settles how those of packets that crossed a NAT are repaired.
	Checksums Checksums

	// Conflicts settles what becomes of computers behind NATs that look the same.
	Conflicts Conflicts

	// Follow reports whether the host follows the peer of an inbound SA that sends from
	// elsewhere than before, which a host behind a NAT must not: RFC 3947, Section 7. nil: it does.
	Follow func(ipsec.SAParams) bool

	// AnyForm accepts ESP with and without encapsulation in UDP, and in each of its
	// forms, whatever was agreed on for its SA.
	AnyForm bool

	// FirstSequence is the sequence number of the first packet of each outbound SA; 0: 1, as
	// RFC 4303, Section 3.3.3 has it. A lab wants to see what happens at 2³² without sending as
	// many packets. Of extended numbers the peer works out the upper half as 0, if the first
	// one lies further below 2³² than its window is wide.
	FirstSequence uint64

	// Window is the size of the anti-replay window in packets, 32 to 65536; 0: 64.
	Window int

	// PathMTU is the path MTU towards the far end of a tunnel, in bytes, 0 for not
	// known. It is asked while Outbound and InnerMTU run, and stands in for the one
	// that they are given, which then is for packets without a tunnel alone. nil: it is
	// for all.
	PathMTU func(far netip.Addr) int

	// TunnelDF is the Don't Fragment bit of the outer headers of tunnel mode.
	TunnelDF DF

	// Idle ends a pair of SAs that nothing has used for so long, in either direction;
	// 0: none. In Windows it is SAIdleTime, 300 to 3600 seconds, 300 unless set.
	Idle time.Duration

	// Soft bounds the life of soft SAs.
	Soft Soft

	// Broadcast reports whether an address is the broadcast address of one of the
	// host's own subnets, which its value cannot tell. nil: none is.
	Broadcast func(netip.Addr) bool
}

// Rekey says when a pair of SAs asks for its successor.
type Rekey struct {
	// Margin is how long before the end of its lifetime the side that started the
	// quick mode asks for a new pair; 0: a tenth of the lifetime. It is cut to half
	// the lifetime, or a new pair would ask at once. The other side asks at half
	// the margin, when the first one evidently missed it. For lifetimes in
	// kilobytes the margin is always a tenth.
	//
	// No published source has the margins of Windows: a design choice.
	Margin time.Duration

	// Idle also replaces a pair that has carried no packet. Without it such a pair
	// ends, and the next packet asks for a new one.
	Idle bool
}

// Soft says how long soft SAs live: see Pipeline.FallBack. A Windows policy can
// give their expiry (netsh ipsec dynamic, softsaexpirationtime); what holds without it
// is not published.
type Soft struct {
	Idle     time.Duration // ends one that nothing used for so long; 0: DefaultSoftIdle
	Lifetime time.Duration // ends one in use, too; 0: no bound

	// Answers lets in the clear nothing in but answers to what this host has sent under the
	// soft SA. Else all comes in that the peer sends; what Windows does is not published.
	Answers bool
}

// DefaultSoftIdle is the idle time that Windows gives quick mode SAs (SAIdleTime): a
// design choice for soft SAs.
const DefaultSoftIdle = 300 * time.Second

func (s Soft) idle() time.Duration {
	if s.Idle == 0 {
		return DefaultSoftIdle
	}
	return s.Idle
}

func (c Config) check() error {
	if c.Rand == nil {
		return errors.New("esp: Config.Rand is missing: SPIs need a source of randomness")
	}
	if c.Rekey.Margin < 0 {
		return fmt.Errorf("esp: Config.Rekey.Margin is negative: %v", c.Rekey.Margin)
	}
	if c.Idle < 0 {
		return fmt.Errorf("esp: Config.Idle is negative: %v", c.Idle)
	}
	if c.Soft.Idle < 0 || c.Soft.Lifetime < 0 {
		return fmt.Errorf("esp: Config.Soft is negative: %v, %v", c.Soft.Idle, c.Soft.Lifetime)
	}
	if _, err := replay.New(c.Window); err != nil {
		return fmt.Errorf("esp: Config.Window: %w", err)
	}
	if c.FirstSequence > math.MaxUint32 {
		return fmt.Errorf("esp: Config.FirstSequence has more than 32 bits: %d", c.FirstSequence)
	}
	if c.TunnelDF > DFClear {
		return fmt.Errorf("esp: Config.TunnelDF is none of copy, set and clear: %v", c.TunnelDF)
	}
	return errors.Join(c.Checksums.check(), c.Conflicts.check())
}

func (c Config) trace(b trace.Body) {
	if c.Trace != nil {
		c.Trace(b)
	}
}

// pathMTU is that of the packets of an entry.
func (c Config) pathMTU(e *ipsec.Policy, given int) int {
	if c.PathMTU == nil || !e.Peer.IsValid() {
		return given
	}
	return c.PathMTU(e.Peer)
}

func (c Config) unicast(a netip.Addr) bool {
	broadcast := a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) || c.Broadcast != nil && c.Broadcast(a)
	return !a.IsMulticast() && !broadcast
}

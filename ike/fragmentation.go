package ike

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/ipseclab/ipseclab/ike/payload"
)

// FragmentForm is whose way of sending IKE messages in fragments a host has.
type FragmentForm uint8

// The two ways, which understand each other.
const (
	NoFragments FragmentForm = iota // none are announced, sent or taken

	// WindowsFragments is MS-IKEE, 3.3: only messages with an identification payload are
	// cut, and only once a message has been unanswered for FragmentAfter, or the peer has
	// sent fragments.
	WindowsFragments

	// CiscoFragments is what Cisco, racoon and strongSwan do: whatever is larger than Size
	// is cut at once, if the peer has announced that it takes fragments. Four bytes of
	// capabilities follow the vendor ID.
	CiscoFragments
)

func (f FragmentForm) String() string {
	return [...]string{"none", "windows", "cisco"}[min(f, CiscoFragments)]
}

// Fragmentation is about messages of IKEv1 that are sent in fragments, since routers and
// firewalls drop those of IP.
type Fragmentation struct {
	Form FragmentForm

	// Size is the most that a fragment may be in bytes, with the headers of IP and UDP;
	// what fits is not cut. 0: 576 with IPv4 and 1280 with IPv6 (MS-IKEE, 3.3.6.1). It
	// does not follow the path MTU.
	Size int

	// Headerless leaves the ISAKMP header of the message out of the fragments, as MS-IKEE,
	// 3.3.5.3 can be read. It gives the header back from that of the first fragment, which
	// has lost the type of the first payload and the encryption flag: the receiver has to
	// know them. racoon and strongSwan cut the message with its header, and exchange
	// fragments with Windows; false is that. Both are taken.
	Headerless bool

	// Aggressive has CiscoFragments announce fragments for aggressive mode too.
	Aggressive bool
}

// minFragment leaves room in a fragment for a quarter of a kilobyte and a little.
const minFragment = 360

func (f Fragmentation) check() error {
	if f.Form > CiscoFragments {
		return fmt.Errorf("ike: Config.Fragmentation.Form is %d, which is none", f.Form)
	}
	if f.Size != 0 && (f.Size < minFragment || f.Size > 65535) {
		return fmt.Errorf("ike: Config.Fragmentation.Size is %d, must be %d to 65535", f.Size, minFragment)
	}
	return nil
}

// Room is the longest message that goes to a peer whole, and how much of a message fits a fragment, in bytes.
func (f Fragmentation) Room(remote netip.Addr) (whole, part int) {
	const udp, fragment = 8, 8 // RFC 768; MS-IKEE, 2.2.3.1
	size, ip := 576, 20
	if remote.Is6() {
		size, ip = 1280, 40
	}
	if f.Size != 0 {
		size = f.Size
	}
	whole = size - ip - udp
	return whole, whole - payload.HeaderLen - fragment
}

// FragmentAfter is how long a message is unanswered before Windows cuts what it sends:
// the sum of the first two gaps (MS-IKEE, product note 16), at which the second copy
// goes out. false: the schedule has no second copy.
func (c *Config) FragmentAfter() (time.Duration, bool) {
	gaps := c.Gaps()
	if len(gaps) < 2 {
		return 0, false
	}
	return gaps[0] + gaps[1], true
}

// FragmentReassembly is how long the fragments of a message wait for the others, MS-IKEE, product note 17.
const FragmentReassembly = 70 * time.Second

// fragmentationID is MD5 of "FRAGMENTATION", MS-IKEE, product note 6.
var fragmentationID = []byte{0x40, 0x48, 0xb7, 0xd5, 0x6e, 0xbc, 0xe8, 0x85, 0x25, 0xe7, 0xde, 0x7f, 0x00, 0xd6, 0xc2, 0xd3}

// vendorID announces fragments; nil: it does not. Windows sends the bare ID, Cisco four
// bytes behind it: the first bit is for main mode, the second for aggressive mode.
func (f Fragmentation) vendorID() []byte {
	switch {
	case f.Form == NoFragments:
		return nil
	case f.Form == WindowsFragments:
		return fragmentationID
	case f.Aggressive:
		return append(fragmentationID[:len(fragmentationID):len(fragmentationID)], 0xc0, 0, 0, 0)
	}
	return append(fragmentationID[:len(fragmentationID):len(fragmentationID)], 0x80, 0, 0, 0)
}

// Package pcapng writes and reads captures with nanosecond times, named
// interfaces and a comment on each packet, in the format of
// draft-ietf-opsawg-pcapng. The Writer writes what a world needs and nothing
// else; Read takes any section of either byte order and keeps of it the packets.
//
// It leaves out name resolution, decryption secrets, statistics and custom
// blocks: Read skips them.
package pcapng

import "time"

// Packet is one packet of a capture.
type Packet struct {
	Number    int       // position in the file from 1, as Wireshark counts
	Interface string    // if_name, or "" when the file gives none
	At        time.Time // UTC; the zero Time for simple packet blocks, which carry none
	Link      LinkType  // of its interface: what Data begins with
	Data      []byte    // as captured, from the link-layer header on
	Comment   string    // opt_comment; several are joined by newlines
}

// MaxPacket is the longest packet, in bytes, that is written or read: the limit
// that libpcap and Wireshark set for Ethernet.
const MaxPacket = 262144

// maxBlock bounds the blocks that Read keeps in memory while decoding, as Wireshark does.
const maxBlock = 16 << 20

// Block types. draft-ietf-opsawg-pcapng, Section 11.1.
const (
	blockSection   = 0x0a0d0d0a // Section 4.1
	blockInterface = 1          // Section 4.2
	blockPacket    = 2          // Appendix A, obsolete
	blockSimple    = 3          // Section 4.4
	blockEnhanced  = 6          // Section 4.3
)

// Options. The meaning of a code depends on the block that it stands in.
const (
	optEnd      = 0  // Section 3.5
	optComment  = 1  // Section 3.5
	optUserAppl = 4  // section header, Section 4.1
	optIfName   = 2  // interface, Section 4.2
	optTSResol  = 9  // interface, Section 4.2
	optTSOffset = 14 // interface, Section 4.2
)

// LinkType says what the packets of an interface begin with: a number of
// https://www.tcpdump.org/linktypes.html.
type LinkType uint16

// The link types that a world has.
const (
	LinkEthernet LinkType = 1   // LINKTYPE_ETHERNET: an Ethernet header
	LinkRaw      LinkType = 101 // LINKTYPE_RAW: an IPv4 or IPv6 header, told by its version
)

const (
	byteOrderMagic = 0x1a2b3c4d // Section 4.1
	nanosecond     = 9          // if_tsresol: units of 10^-9 s
)

// pad is how many zero bytes bring n to a multiple of 4. Section 3.1.
func pad(n int) int { return -n & 3 }

package esp

import (
	"time"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Counters count since the Pipeline was made. The names follow the driver
// statistics of the Windows IP Security Monitor as far as they are known
// (from secondary sources, unconfirmed); bytes are of the payloads inside.
type Counters struct {
	ActiveSAs            int // "Active Security Associations": pairs and lone halves count each SA
	PendingKeyOperations int // acquires under way
	KeyAdditions         uint64
	KeyDeletions         uint64
	Rekeys               uint64 // SAs that succeeded an older one for the same traffic

	BadSPI           uint64 // "Bad SPI Packets"
	NotDecrypted     uint64 // "Packets Not Decrypted": malformed, expired SA, bad padding
	NotAuthenticated uint64 // "Packets Not Authenticated"
	Replayed         uint64 // "Packets With Replay Detection"
	WrongSA          uint64 // inside was traffic that the SA is not for, or a bundle was not complete (STATUS_IPSEC_WRONG_SA, 0xC0360003, MS-ERREF)
	ClearTextDrops   uint64 // arrived in the clear although policy demands protection (status "clear-text drop")
	PolicyDrops      uint64 // blocked by policy, both directions
	HeldDiscarded    uint64 // waited for an SA in vain
	BootDrops        uint64 // refused by the startup mode, both directions

	SoftAssociations uint64 // "Soft Associations": soft SAs that there were
	AcceptedClear    uint64 // arrived in the clear, and came in by inbound passthrough

	PacketsProtected, BytesProtected uint64 // under ESP, AH or both; with ESP, "Confidential Bytes Sent" and its packets
	PacketsOpened, BytesOpened       uint64 // likewise; with ESP, "Confidential Bytes Received" and its packets
}

// Counters are the counts so far.
func (p *Pipeline) Counters() Counters {
	c := p.counters
	c.ActiveSAs = len(p.sad.list)
	c.PendingKeyOperations = len(p.holds.byID)
	return c
}

// count notes a protected packet that was not accepted.
func (c *Counters) count(d defect) {
	switch d {
	case badSPI:
		c.BadSPI++
	case replayedSeq, staleSeq, zeroSeq:
		c.Replayed++
	case badICV:
		c.NotAuthenticated++
	case dummyPacket: // "without indicating an error", RFC 4303, Section 2.6
	case otherTraffic, missingAH, missingESP, foreignBundle:
		c.WrongSA++
	default:
		c.NotDecrypted++
	}
}

// SAInfo is one SA as it stands.
type SAInfo struct {
	ipsec.SAParams
	Added    time.Time
	Expires  time.Time // zero: no bound in time
	Packets  uint64    // carried
	Bytes    uint64    // encrypted, padding included, or authenticated by AH: what a lifetime in kilobytes counts
	Sequence uint64    // outbound: the last one sent; inbound: the highest one accepted
	Replaced bool      // outbound: a newer SA carries its traffic
}

// SAs are all SAs in the order in which they were added.
func (p *Pipeline) SAs() []SAInfo {
	infos := make([]SAInfo, 0, len(p.sad.list))
	for _, s := range p.sad.list {
		i := SAInfo{SAParams: s.params(), Added: s.added, Expires: s.hard.time, Packets: s.packets, Bytes: s.bytes, Sequence: s.sequence}
		if s.window != nil {
			i.Sequence = s.window.Top()
		} else {
			i.Replaced = p.sad.replaced(s)
		}
		infos = append(infos, i)
	}
	return infos
}

package esp

import (
	"time"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Counters count since the Pipeline was made. The names in quotation marks are those
// of the quick mode statistics of the Windows IP Security Monitor (TechNet cc737334);
// the meanings are those of Microsoft's MSiSCSI_QMIPSECStats, which has the same
// list, or say what the lab counts. Bytes are of the payloads inside.
type Counters struct {
	ActiveSAs            int    // "Active Security Associations": pairs and lone halves count each SA
	OffloadedSAs         int    // "Offloaded Security Associations": always 0, as no network card of the lab does IPsec
	PendingKeyOperations int    // "Pending Key Operations": acquires under way
	ActiveTunnels        int    // "Active Tunnels": pairs in tunnel mode
	KeyAdditions         uint64 // "Key Additions": counts each SA
	KeyDeletions         uint64 // "Key Deletions": likewise
	Rekeys               uint64 // "Rekeys": SAs that succeeded an older one for the same traffic

	BadSPI           uint64 // "Bad SPI Packets"
	NotDecrypted     uint64 // "Packets Not Decrypted": malformed, expired SA, bad padding
	NotAuthenticated uint64 // "Packets Not Authenticated"
	ReplayDetection  uint64 // "Packets With Replay Detection": those with a valid sequence number
	Replayed         uint64 // refused as replays (STATUS_IPSEC_REPLAY_CHECK_FAILED, 0xC0360004, MS-ERREF)
	WrongSA          uint64 // inside was traffic that the SA is not for, or a bundle was not complete (STATUS_IPSEC_WRONG_SA, 0xC0360003, MS-ERREF)
	ClearTextDrops   uint64 // arrived in the clear although policy demands protection (status "clear-text drop")
	PolicyDrops      uint64 // blocked by policy, both directions
	HeldDiscarded    uint64 // waited for an SA in vain
	BootDrops        uint64 // refused by the startup mode, both directions

	SoftAssociations uint64 // "Soft Associations": soft SAs that there were
	AcceptedClear    uint64 // arrived in the clear, and came in by inbound passthrough

	PacketsProtected, BytesProtected uint64 // under ESP, AH or both
	PacketsOpened, BytesOpened       uint64 // likewise

	ConfidentialBytesSent, ConfidentialBytesReceived   uint64 // under ESP, whatever its cipher
	AuthenticatedBytesSent, AuthenticatedBytesReceived uint64 // under AH; those of a bundle are counted under both
	TransportBytesSent, TransportBytesReceived         uint64 // in transport mode
	TunnelBytesSent, TunnelBytesReceived               uint64 // "Bytes Sent In Tunnels", "Bytes Received In Tunnels"
	OffloadedBytesSent, OffloadedBytesReceived         uint64 // always 0, see OffloadedSAs
}

// Counters are the counts so far.
func (p *Pipeline) Counters() Counters {
	c := p.counters
	c.ActiveSAs = len(p.sad.list)
	c.PendingKeyOperations = len(p.holds.byID)
	for _, s := range p.sad.list {
		if s.Direction == ipsec.Inbound && s.outer == nil && s.Mode == ipsec.Tunnel {
			c.ActiveTunnels++
		}
	}
	return c
}

// carried notes the payload of a packet that went through a bundle.
func (c *Counters) carried(s *sa, payload int) {
	n := uint64(payload)
	sent := s.Direction == ipsec.Outbound
	add := func(when bool, out, in *uint64) {
		switch {
		case !when:
		case sent:
			*out += n
		default:
			*in += n
		}
	}
	if sent {
		c.PacketsProtected++
	} else {
		c.PacketsOpened++
	}
	add(true, &c.BytesProtected, &c.BytesOpened)
	add(s.esp != nil || s.inner != nil, &c.ConfidentialBytesSent, &c.ConfidentialBytesReceived)
	add(s.ah != nil, &c.AuthenticatedBytesSent, &c.AuthenticatedBytesReceived)
	add(s.Mode == ipsec.Transport, &c.TransportBytesSent, &c.TransportBytesReceived)
	add(s.Mode == ipsec.Tunnel, &c.TunnelBytesSent, &c.TunnelBytesReceived)
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
	case sameTalk, otherTraffic, missingAH, missingESP, foreignBundle:
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

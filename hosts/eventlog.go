package hosts

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// The Security log of a host: what Windows writes about IKE with the audit policy
// "Audit logon events" on, for success and failure; the lab has no switch for it. The
// numbers and their meanings are of TechNet cc787567, the fields of 547 of its public
// message (SE_AUDITID_IPSEC_NEGOTIATION_FAIL), those of 541 and 542 of printed events.
// Of 543 they are unconfirmed.
//
// Left out: what IKE refuses before there is a negotiation; soft SAs, of which no source says whether they are audited.
const (
	eventEstablished = 541
	eventQMEnded     = 542
	eventMMEnded     = 543
	eventFailed      = 547
)

const (
	keyExchangeMode    = "Key Exchange Mode (Main Mode)"
	dataProtectionMode = "Data Protection Mode (Quick Mode)"

	successAudit = "Success Audit"
	failureAudit = "Failure Audit"
)

// audited logs the outcome of a negotiation.
func (h *Host) audited(a ike.Audit) {
	if !h.world.Traced() || h.off {
		return
	}
	e := trace.EventLog{
		Log: "Security", Source: "Security", Type: successAudit, Mode: keyExchangeMode, Peer: a.Remote.Addr().String(),
		Fields: []trace.Field{peerIdentity(a), filterField(a.Selector)},
	}
	if a.QuickMode {
		e.Mode = dataProtectionMode
	} else {
		e.Fields[1] = filterField(ipsec.Selector{Src: ipsec.Host(a.Local.Addr()), Dst: ipsec.Host(a.Remote.Addr())})
	}
	switch a.State {
	case ike.AuditEstablished:
		e.ID, e.Message = eventEstablished, "IKE security association established"
		e.Fields = append(e.Fields, parameters(a))
	case ike.AuditEnded:
		e.ID, e.Message = eventMMEnded, "IKE security association ended"
		e.Unconfirmed = "the fields of 543"
	case ike.AuditFailed:
		e.ID, e.Type, e.Message = eventFailed, failureAudit, "IKE security association negotiation failed"
		code := ike.CodeOf(a.Err)
		e.FailurePoint, e.Code = "Me", int(code)
		if a.PeerFound() {
			e.FailurePoint = "Peer"
		}
		e.FailureReason = fmt.Sprintf("%s: %s", code.Meaning(), ike.ReasonOf(a.Err))
		h.failedToo(a, e)
	}
	h.record(e)
}

// failedToo logs the event that Windows has for some failures of main mode beside 547.
func (h *Host) failedToo(a ike.Audit, e trace.EventLog) {
	switch e.ID = a.MainModeEvent(); e.ID {
	case 544:
		e.Message = "IKE security association establishment failed: a certificate is not valid, or a signature"
	case 545:
		e.Message = "IKE peer authentication failed"
	case 546:
		e.Message = "IKE security association establishment failed: the peer sent a proposal or data that are not valid"
	default:
		return
	}
	e.Unconfirmed = fmt.Sprintf("whether %d comes beside %d or in its place", e.ID, eventFailed)
	h.record(e)
}

// pairEnded logs the end of a pair of SAs, whose inbound half these are.
func (h *Host) pairEnded(in []ipsec.SAParams, reason string) {
	if !h.world.Traced() || h.off {
		return
	}
	e := trace.EventLog{
		Log: "Security", Source: "Security", ID: eventQMEnded, Type: successAudit, Message: "IKE security association ended",
		Mode: dataProtectionMode, Peer: in[0].Src.String(), Fields: []trace.Field{filterField(in[0].Selector.Reverse())},
	}
	for _, sa := range in {
		e.Fields = append(e.Fields, spiField("Inbound SPI", sa.Protocol, sa.SPI), spiField("Outbound SPI", sa.Protocol, sa.PeerSPI))
	}
	e.Fields = append(e.Fields, trace.Field{Name: "Reason", Value: reason}) // the lab's own
	h.record(e)
}

func spiField(name string, p ipsec.Protocol, spi uint32) trace.Field {
	return trace.Field{Name: name, Value: fmt.Sprintf("%v 0x%08x", p, spi)}
}

func peerIdentity(a ike.Audit) trace.Field {
	id := trace.Field{Name: "Peer Identity"}
	switch {
	case a.PeerID == "":
	case a.Method.Signature() || a.Method.Encryption(): // how Windows prints it is unconfirmed
		id.Fields = append(id.Fields, trace.Field{Name: "Certificate based Identity", Value: a.PeerID})
	default:
		id.Fields = append(id.Fields, trace.Field{Name: "Preshared key ID", Value: a.PeerID})
	}
	id.Fields = append(id.Fields, trace.Field{Name: "Peer IP Address", Value: a.Remote.Addr().String()})
	return id
}

// filterField is a filter as the events print it, in the outbound direction.
func filterField(s ipsec.Selector) trace.Field {
	address := func(p netip.Prefix) (addr, mask string) {
		switch {
		case p == netip.Prefix{}:
			return "0.0.0.0", "0.0.0.0"
		case p.Addr().Is4():
			m := binary.BigEndian.AppendUint32(nil, ^uint32(0)<<(32-p.Bits()))
			return p.Addr().String(), netip.AddrFrom4([4]byte(m)).String()
		}
		return p.Addr().String(), fmt.Sprintf("/%d", p.Bits())
	}
	src, srcMask := address(s.Src)
	dst, dstMask := address(s.Dst)
	return trace.Field{Name: "Filter", Fields: []trace.Field{
		{Name: "Source IP Address", Value: src}, {Name: "Source IP Address Mask", Value: srcMask},
		{Name: "Destination IP Address", Value: dst}, {Name: "Destination IP Address Mask", Value: dstMask},
		{Name: "Protocol", Value: fmt.Sprint(s.Proto)},
		{Name: "Source Port", Value: fmt.Sprint(s.SrcPort)}, {Name: "Destination Port", Value: fmt.Sprint(s.DstPort)},
	}}
}

// parameters are what was agreed on.
func parameters(a ike.Audit) trace.Field {
	f := trace.Field{Name: "Parameters"}
	add := func(name, value string) { f.Fields = append(f.Fields, trace.Field{Name: name, Value: value}) }
	if !a.QuickMode {
		add("ESP Algorithm", a.MainMode.Cipher) // Windows names the cipher of IKE so, too
		add("HMAC Algorithm", a.MainMode.Hash)
		add("Diffie-Hellman Group", fmt.Sprint(a.MainMode.Group))
		add("Lifetime (sec)", fmt.Sprint(int64(a.Lifetime/time.Second)))
		return f
	}
	cipher, hmac, ah := "None", "None", "None"
	for _, t := range a.Proposal.Transforms {
		switch {
		case t.Protocol == ipsec.AH:
			ah = t.Auth
		default:
			cipher = t.Cipher
			if t.Auth != "" {
				hmac = t.Auth
			}
		}
	}
	add("ESP Algorithm", cipher)
	add("HMAC Algorithm", hmac)
	add("AH Algorithm", ah)
	add("Encapsulation", a.Proposal.Mode.String())
	for i, t := range a.Proposal.Transforms {
		f.Fields = append(f.Fields, spiField("InboundSpi", t.Protocol, a.InSPIs[i]), spiField("OutboundSpi", t.Protocol, a.OutSPIs[i]))
	}
	add("Lifetime (sec)", fmt.Sprint(int64(a.Proposal.Lifetime.Duration/time.Second)))
	add("Lifetime (kb)", fmt.Sprint(a.Proposal.Lifetime.Kilobytes))
	add("PFS Group", fmt.Sprint(a.Group))
	return f
}

package reports

import (
	"fmt"
	"strings"

	"github.com/ipseclab/ipseclab/internal/trace"
)

// note turns an event into a note of the ladder; false: the ladder does not show it.
func (b *builder) note(e trace.Event) (note, bool) {
	n := note{column: b.of(e.Node)}
	switch m := e.Body.(type) {
	case trace.PolicyAssigned:
		n.kind, n.text = notePolicy, "policy "+inForce(m)
		if inForce(m) == "" {
			n.text = "no policy"
		}
		if len(m.Filters) > 0 {
			n.detail = plural(len(m.Filters), "filter")
		}
	case trace.Acquire:
		n.kind, n.text = notePolicy, "acquire"
		n.detail = lines(m.Selector, "peer "+m.Peer, m.Rule)
	case trace.Negotiation:
		n.kind, n.text = negotiationKind(m.State), m.Exchange+" "+m.State
		n.detail = lines(m.Role, m.Chosen, m.Selector, m.Reason)
		if m.Code != 0 {
			n.detail = lines(n.detail, fmt.Sprintf("code %d", m.Code))
		}
		n.same = m.Role + " " + n.text
	case trace.SAAdded:
		n.kind, n.sa = noteSA, &m
		n.text = "SA " + m.Direction + " " + spi(m.SPI)
		n.same = "SA " + m.Direction
		n.detail = lines(protection(m.Protocol, m.Mode, m.Cipher, m.Auth, numbers(m.ESN)), inUDP(m.SrcPort, m.DstPort), m.Selector, m.Rule)
	case trace.SAMoved:
		n.kind, n.text = noteSA, "SA "+m.Direction+" "+spi(m.SPI)+" moved"
		n.same = "moved " + m.Direction
		n.detail = lines("peer from "+m.From+" to "+m.To, m.Protocol)
	case trace.SARemoved:
		n.kind = noteGone
		n.text = "SA " + m.Direction + " " + spi(m.SPI) + " removed"
		n.same = "removed " + m.Direction + m.Reason
		n.detail = lines(m.Reason, fmt.Sprintf("%s, %s", plural(m.Packets, "packet"), size(m.Bytes)))
	case trace.SoftSAAdded:
		n.kind, n.text = noteSA, "soft SA with "+m.Peer
		n.detail = lines("in the clear from now on", m.Rule, m.Reason, fmt.Sprintf("code %d", m.Code))
	case trace.SoftSARemoved:
		n.kind, n.text = noteGone, "soft SA with "+m.Peer+" removed"
		n.detail = lines(m.Reason, plural(m.Packets, "packet"), fmt.Sprintf("code %d", m.Code))
	case trace.PacketDropped:
		n.kind, n.text = noteBad, "dropped: "+m.Reason
		n.detail = lines(m.Packet, m.Where, m.Rule)
	case trace.NATMappingRefused:
		n.kind, n.text = noteBad, "mapping refused: "+m.Reason
		n.detail, n.same = lines(m.Protocol, m.Inside), n.text
	case trace.NATMappingEvicted:
		n.kind, n.text, n.detail, n.same = noteGone, "mapping evicted", natMapping(m.NATMapping), "evicted"
	case trace.NATMappingMoved:
		n.kind, n.text, n.detail, n.same = noteWorld, "mapping moved", natMapping(m.NATMapping), "moved"
	case trace.NATMappingAdded:
		n.kind, n.text, n.detail, n.same = noteWorld, "mapping "+m.Protocol, natMapping(m.NATMapping), "mapping "+m.Protocol
	case trace.NATMappingExpired:
		n.kind, n.text, n.detail, n.same = noteGone, "mapping expired", natMapping(m.NATMapping), "mapping expired"
	case trace.NATRebooted:
		n.kind, n.text, n.detail = noteGone, "rebooted", plural(m.Mappings, "mapping")+" forgotten"
	case trace.LinkChanged:
		n.kind = noteWorld
		n.text = fmt.Sprintf("link %s: +%s, loss %g %%, MTU %d", m.Link, span(m.Latency), 100*m.Loss, m.MTU)
		if m.More != "" {
			n.text += ", " + m.More
		}
		if m.Down {
			n.text = fmt.Sprintf("link %s: down", m.Link)
		}
	case trace.Attack:
		n.kind, n.text = noteBad, fmt.Sprintf("%s: frame %d", m.Act, m.Frame)
		if m.Original != 0 {
			n.text += fmt.Sprintf(", was %d", m.Original)
		}
		n.detail = lines(m.Packet, m.Detail)
		n.same = m.Act + m.Packet
	case trace.HostState:
		n.kind, n.text = noteGone, m.State
		if m.State == "started" {
			n.kind = noteGood
		}
		n.detail = m.Detail
	case trace.AgentState:
		n.kind, n.text, n.detail = notePolicy, "policy agent "+m.State, m.Detail
	case trace.DriverMode:
		n.kind, n.text, n.detail = notePolicy, "driver "+m.Mode, m.Detail
	case trace.PolicyFetched:
		n.kind, n.text = notePolicy, "policy from "+m.Source+": "+m.Result
		n.detail = lines(m.Policy, m.Detail, "asks again in "+span(m.Next))
	case trace.SCEP:
		what := m.Operation
		if m.Message != "" {
			what = m.Message
		}
		n.kind, n.text = notePolicy, "SCEP "+what
		switch {
		case m.Status == "FAILURE" || m.Status == "" && m.Reason != "":
			n.kind = noteBad
		case m.Status == "SUCCESS":
			n.kind = noteGood
		}
		if m.Status != "" {
			n.text += ": " + m.Status
		}
		n.detail = lines("asks "+m.Peer, m.Subject, m.Reason)
		if m.Role == "authority" {
			n.detail = lines("asked by "+m.Peer, m.Subject, m.Reason)
		}
	case trace.CertificateStored:
		n.kind, n.text = noteGood, "certificate store: "+m.Store
		n.detail = m.Subject
		if m.Until != "" {
			n.detail = lines(m.Subject, "until "+m.Until)
		}
	case trace.Violation:
		n.kind, n.text = noteBad, fmt.Sprintf("wire oracle: frame %d in the clear", m.Frame)
		n.detail = lines(m.Packet, m.Rule, m.Why)
		n.same = "violation"
	default:
		return note{}, false
	}
	if n.same == "" {
		n.same = n.text
	}
	return n, true
}

func negotiationKind(state string) noteKind {
	switch state {
	case "established":
		return noteGood
	case "failed":
		return noteBad
	case "deleted", "expired":
		return noteGone
	}
	return notePolicy
}

// protection names what an SA does: "ESP transport 3des-cbc hmac-sha1-96".
func protection(words ...string) string { return strings.Join(nonEmpty(words), " ") }

// natMapping is a mapping in lines.
func natMapping(m trace.NATMapping) string {
	text := lines(m.Inside, "as "+m.Outside)
	if m.Remote != "" {
		text = lines(text, "for "+m.Remote)
	}
	if m.SPIOut != "" {
		text = lines(text, "SPI "+m.SPIOut)
	}
	return text
}

// numbers names extended sequence numbers, and nothing else.
func numbers(esn bool) string {
	if esn {
		return "64-bit numbers"
	}
	return ""
}

// inUDP names encapsulation by its ports, and nothing where there is none.
func inUDP(src, dst uint16) string {
	if dst == 0 {
		return ""
	}
	return fmt.Sprintf("in UDP, port %d to %d", src, dst)
}

// lines joins the parts that are not empty.
func lines(parts ...string) string { return strings.Join(nonEmpty(parts), "\n") }

func nonEmpty(list []string) []string {
	var out []string
	for _, s := range list {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

// mergeRows puts notes of one time on one row, and the two SAs of a pair into one note.
func mergeRows(rows []row) []row {
	var out []row
	for _, r := range rows {
		last := len(out) - 1
		if last < 0 || r.notes == nil || out[last].notes == nil || out[last].at != r.at || len(out[last].notes) >= maxNotes {
			out = append(out, r)
			continue
		}
		for _, n := range r.notes {
			if !joinPair(out[last].notes, n) {
				out[last].notes = append(out[last].notes, n)
			}
		}
	}
	return out
}

// maxNotes is how many notes may stand on one row.
const maxNotes = 12

// joinPair writes an SA into the note of its other direction.
func joinPair(notes []note, n note) bool {
	if n.sa == nil {
		return false
	}
	for i := range notes {
		o := &notes[i]
		if o.sa == nil || o.column != n.column || o.sa.SPI != n.sa.PeerSPI || o.sa.PeerSPI != n.sa.SPI || o.sa.Direction == n.sa.Direction {
			continue
		}
		in, out := o.sa.SPI, n.sa.SPI
		outbound := n.sa
		if o.sa.Direction == "outbound" {
			in, out = out, in
			outbound = o.sa
		}
		o.text = fmt.Sprintf("SA pair in %s, out %s", spi(in), spi(out))
		o.detail = lines(protection(outbound.Protocol, outbound.Mode, outbound.Cipher, outbound.Auth, numbers(outbound.ESN)), outbound.Selector, outbound.Rule)
		o.same = "SA pair"
		o.sa = nil
		return true
	}
	return false
}

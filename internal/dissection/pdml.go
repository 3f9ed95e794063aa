package dissection

import (
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/ipseclab/ipseclab/ike/payload"
)

// Frame is what tshark says of the ISAKMP message in one frame.
type Frame struct {
	Number int      // in the capture, from 1
	Lines  []string // in the form of Lines
	Whole  []string // likewise of the message that the dissector puts together when it has the last fragment
	Texts  []string // the dissector's own words, for each of Lines
	Faults []string // what the dissector found wrong, in its words
}

// node is an element of PDML, the XML that tshark -T pdml writes.
type node struct {
	XMLName  xml.Name
	Name     string `xml:"name,attr"`
	Show     string `xml:"show,attr"`
	ShowName string `xml:"showname,attr"`
	Value    string `xml:"value,attr"`
	Pos      int    `xml:"pos,attr"`
	Size     int    `xml:"size,attr"`
	Nodes    []node `xml:",any"`
}

// ReadPDML reads the output of tshark -T pdml -J isakmp.
func ReadPDML(r io.Reader) ([]Frame, error) {
	var frames []Frame
	d := xml.NewDecoder(r)
	for {
		t, err := d.Token()
		if err == io.EOF {
			return frames, nil
		}
		if err != nil {
			return nil, fmt.Errorf("dissection: reading PDML: %w", err)
		}
		start, ok := t.(xml.StartElement)
		if !ok || start.Name.Local != "packet" {
			continue
		}
		var packet node
		if err := d.DecodeElement(&packet, &start); err != nil {
			return nil, fmt.Errorf("dissection: reading a packet of PDML: %w", err)
		}
		frames = append(frames, frameOf(packet))
	}
}

func frameOf(packet node) Frame {
	var f Frame
	for _, p := range packet.Nodes {
		switch p.Name {
		case "geninfo":
			for _, field := range p.Nodes {
				if field.Name == "num" {
					f.Number, _ = strconv.Atoi(field.Show)
				}
			}
		case "isakmp":
			w := writer{}
			for _, n := range p.Nodes {
				f.add(&w, n, nil, 0)
			}
			f.Lines, f.Texts = w.lines, w.texts
		}
	}
	return f
}

// derived fields say again what the field around them says.
var derived = map[string]bool{
	"isakmp.mjver": true, "isakmp.mnver": true, "isakmp.flag_e": true, "isakmp.flag_c": true, "isakmp.flag_a": true,
	"isakmp.sa.situation.identity_only": true, "isakmp.sa.situation.secrecy": true, "isakmp.sa.situation.integrity": true,
	"isakmp.id.data.der_asn1_dn": true,
	"isakmp.fragments":           true, // a list of the frames
}

// add writes the lines of a field. raw are the bytes of the payload around it, the
// first of which the dissector calls position start.
func (f *Frame) add(w *writer, n node, raw []byte, start int) {
	switch {
	case strings.HasPrefix(n.Name, "_ws.") || n.Name == "":
		f.fault(n)
		return
	case derived[n.Name]:
		return
	case n.Name == "isakmp.vid_string": // what the bytes before it stand for
		w.texts[len(w.texts)-1] = n.Show
		return
	case n.Name == "isakmp":
		whole := writer{}
		for _, c := range n.Nodes {
			f.add(&whole, c, nil, 0)
		}
		f.Whole = whole.lines
		return
	case n.Name == "isakmp.enc.data":
		for _, c := range n.Nodes {
			f.add(w, c, nil, 0)
		}
		return
	case n.Name == "isakmp.typepayload":
		w.say(n, "payload", n.Show)
		raw, _ = hex.DecodeString(n.Value)
		if len(n.Nodes) > 0 {
			start = n.Nodes[0].Pos // decrypted bytes have positions of their own
		}
	case strings.HasSuffix(n.Name, ".attr"):
		w.say(n, n.Name, "") // its fields say all
	case !strings.HasPrefix(n.Name, "isakmp."):
		return // of another dissector, which looks into a certificate
	case n.Name == "isakmp.ike.certreq.authority.sig": // a name in DER, which the dissector takes apart
		n.Value = ""
		w.say(n, "isakmp.ike.certreq.authority", text(n, raw, start))
	default:
		w.say(n, n.Name, text(n, raw, start))
	}
	w.depth++
	for _, c := range n.Nodes {
		f.add(w, c, raw, start)
	}
	if n.Name == "isakmp.typepayload" && n.Show == fmt.Sprint(uint8(payload.TypeFragment)) && len(raw) >= 8 {
		w.octets(fragmentData, raw[8:])
	}
	w.depth--
}

// say writes a line with the dissector's own words for it.
func (w *writer) say(n node, name, value string) {
	w.put(name, value)
	w.texts[len(w.texts)-1] = n.ShowName
}

// fault notes what the dissector's expert says, below any field.
func (f *Frame) fault(n node) {
	if n.Name == "_ws.expert.message" || n.Name == "_ws.malformed" {
		f.Faults = append(f.Faults, n.ShowName)
	}
	for _, c := range n.Nodes {
		f.fault(c)
	}
}

// text is the value of a field: numbers and addresses as the dissector shows them,
// bytes in hexadecimal, and so is what stands in a field that has no value of its own.
func text(n node, raw []byte, start int) string {
	if n.Value == "" && n.Size > 0 {
		if from := n.Pos - start; from >= 0 && from+n.Size <= len(raw) {
			return hex.EncodeToString(raw[from : from+n.Size])
		}
	}
	if strings.Contains(n.Name, "ipv6") || strings.Contains(n.Name, "ip6") {
		return n.Show // an address, though it may look like octets
	}
	if bare := strings.ReplaceAll(n.Show, ":", ""); strings.HasPrefix(n.Value, bare) && (bare == n.Value || strings.Contains(n.Show, ":")) {
		return n.Value
	}
	return n.Show
}

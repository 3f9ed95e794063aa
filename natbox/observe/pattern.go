package observe

import (
	"bytes"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Pattern is what an inspector searches payloads for.
type Pattern struct {
	Name  string
	Bytes []byte
	Proto uint8  // ipsec.ProtoAny: any
	Port  uint16 // of either side; 0: any
}

// meant reports whether a pattern is one for the flow.
func (p *Pattern) meant(f *ipsec.Flow) bool {
	return (p.Proto == ipsec.ProtoAny || p.Proto == f.Proto) && (p.Port == 0 || p.Port == f.SrcPort || p.Port == f.DstPort)
}

// count is how often the pattern ends in the last bytes of b, behind the first old
// ones. Occurrences that overlap count each.
func (p *Pattern) count(b []byte, old int) (n uint64) {
	b = b[max(old-len(p.Bytes)+1, 0):]
	for {
		i := bytes.Index(b, p.Bytes)
		if i < 0 {
			return n
		}
		n, b = n+1, b[i+1:]
	}
}

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

// across is how often the pattern lies across the end of before: b is the last of what was before,
// old bytes, and the first of what came.
func (p *Pattern) across(b []byte, old int) uint64 {
	n := len(p.Bytes) - 1 // so many bytes on either side hold none of it whole
	return p.count(b[max(old-n, 0):min(old+n, len(b))])
}

// count is how often the pattern is in b. Occurrences that overlap count each.
func (p *Pattern) count(b []byte) (n uint64) {
	for {
		i := bytes.Index(b, p.Bytes)
		if i < 0 {
			return n
		}
		n, b = n+1, b[i+1:]
	}
}

package reports

import (
	"fmt"
	"strings"
)

// name says which message of which exchange this is: "main mode 1".
func (m *message) name() string {
	s := m.Exchange
	if m.Number > 0 {
		s += fmt.Sprintf(" %d", m.Number)
	}
	return s
}

// notation is how RFC 2408, Section 3.1 and RFC 2409, Section 3.2 abbreviate payloads.
var notation = map[string]string{
	"Security Association": "SA", "Key Exchange": "KE", "Identification": "ID", "Certificate": "CERT", "Certificate Request": "CR",
	"Hash": "HASH", "Signature": "SIG", "Nonce": "NONCE", "Notification": "N", "Delete": "D", "Vendor ID": "VID",
}

// contents lists the message's payloads in short, repeated ones counted.
func (m *message) contents() string {
	var names []string
	counts := map[string]int{}
	for _, p := range m.Payloads {
		name := p.Name
		if n, ok := notation[name]; ok {
			name = n
		}
		if counts[name]++; counts[name] == 1 {
			names = append(names, name)
		}
	}
	for i, n := range names {
		if counts[n] > 1 {
			names[i] = fmt.Sprintf("%s ×%d", n, counts[n])
		}
	}
	return strings.Join(names, ", ")
}

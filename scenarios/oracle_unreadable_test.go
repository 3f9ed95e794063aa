package scenarios

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// A frame that says it is IPv4 and cannot be read is no proof of innocence.
func TestWireOracleAccusesWhatItCannotRead(t *testing.T) {
	s, err := spec.ParseFS(Catalogue(), "h2h_server_to_server.yaml")
	require.NoError(t, err)
	l, err := build(s, Options{}, nil, nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, l.close()) }()
	host := l.hosts["solaris"]
	send := func(etherType ...byte) {
		frame := append(make([]byte, 12), etherType...)
		host.Interfaces()[0].Send(append(frame, 0x46, 0, 0, 24, 0, 0, 0, 0), "")
	}
	send(0x08, 0x00)
	require.Empty(t, l.oracle.violations, "the host has no policy yet")
	require.NoError(t, l.assignPolicy(&spec.AssignPolicy{Host: "solaris", Policy: "secure-windows"}))
	send(0x08, 0x06)
	require.Empty(t, l.oracle.violations, "ARP")
	send(0x08, 0x00)
	require.Len(t, l.oracle.violations, 1)
	require.Contains(t, l.oracle.check().Reason, "it cannot be read as an IP packet")
}

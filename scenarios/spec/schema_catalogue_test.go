package spec

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSchemaAcceptsCatalogue: an editor with the published schema finds no mistake in a file
// of the catalogue, where references to parameters stand as they are written.
func TestSchemaAcceptsCatalogue(t *testing.T) {
	s := compiled(t)
	files, err := filepath.Glob("../catalogue/*.yaml")
	require.NoError(t, err)
	require.Greater(t, len(files), 100)
	for _, name := range files {
		src, err := os.ReadFile(name)
		require.NoError(t, err)
		if err := s.Validate(instance(t, src)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSchemaOfServices: what Parse takes as a service, and what it does not.
func TestSchemaOfServices(t *testing.T) {
	s := compiled(t)
	const form = `
title: services
network: {segments: {lan: {subnet: 192.0.2.0/24}}}
kerberos-stand-in: secret
policies: {request: {predefined: server-request-security}}
nodes:
  server: {interfaces: [{segment: lan, address: 192.0.2.1/24}], serves: [%s]}
steps: [{wait: 1s}]
`
	for service, valid := range map[string]bool{
		"{tcp: 80}": true, "{udp: 53}": true, "{protocol: 46}": true, "{dhcp: {range: 192.0.2.10-192.0.2.20, lease: 1h}}": true,
		"{udp: 5000, group: 239.1.2.3}": true, "{tcp: 389, policies: [request]}": true,
		"{}": false, "{tcp: 80, udp: 80}": false, "{udp: 53, protocol: 46}": false, "{group: 239.1.2.3}": false,
	} {
		src := fmt.Appendf(nil, form, service)
		if _, err := Parse("services.yaml", src); valid {
			require.NoError(t, err, service)
			require.NoError(t, s.Validate(instance(t, src)), service)
		} else {
			require.Error(t, err, service)
			require.Error(t, s.Validate(instance(t, src)), service)
		}
	}
}

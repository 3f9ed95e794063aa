package ike

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each code that there is has its number and the first sentence of its text in MS-ERREF, Section 2.2.
func TestMeanings(t *testing.T) {
	documented := map[Code]string{
		13801: "IKE authentication credentials are unacceptable",
		13802: "IKE security attributes are unacceptable",
		13805: "Negotiation timed out",
		13806: "IKE failed to find valid machine certificate",
		13807: "IKE SA deleted by peer before establishment completed",
		13813: "No response from peer",
		13816: "Unknown error occurred",
		13817: "Certificate Revocation Check failed",
		13818: "Invalid certificate key usage",
		13819: "Invalid certificate type",
		13820: "IKE negotiation failed because the machine certificate used does not have a private key",
		13825: "No policy configured",
		13826: "Failed to verify signature",
		13827: "Failed to authenticate using Kerberos",
		13830: "Error processing SA payload",
		13833: "Error processing KE payload",
		13834: "Error processing ID payload",
		13835: "Error processing Cert payload",
		13847: "Peer failed to send valid machine certificate",
		13848: "Certification Revocation check of peer's certificate failed",
		13849: "New policy invalidated SAs formed with old policy",
		13865: "Invalid Diffie-Hellman group",
		13868: "Policy match error",
		13870: "Hash verification failed",
		13881: "Key length in certificate is too small for configured security requirements",
		13882: "Max number of established MM SAs to peer exceeded",
		13884: "Reached maximum quick mode limit for the main mode",
		13885: "Main mode SA lifetime expired or peer sent a main mode delete",
		13886: "Main mode SA assumed to be invalid because peer stopped responding",
		13887: "Certificate doesn't chain to a trusted root in IPsec policy",
		13893: "Error processing NatOA payload",
		13899: "Error in assigning inner IP address to initiator in tunnel mode",
	}
	for code, text := range documented {
		require.Equal(t, text, code.Meaning(), "%d", code)
	}
	f, err := parser.ParseFile(token.NewFileSet(), "errors.go", nil, 0)
	require.NoError(t, err)
	count := 0
	ast.Inspect(f, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(v.Names[0].Name, "Code") {
			count++
		}
		return true
	})
	require.Len(t, documented, count, "a code of errors.go that is not in the table, or the other way round")
}

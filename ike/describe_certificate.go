package ike

import (
	"fmt"
	"time"

	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/pki"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// DescribeCertificate are the particulars of a certificate that was sent.
func DescribeCertificate(c payload.Certificate) trace.Certificate {
	if c.Encoding != payload.CertX509Signature && c.Encoding != payload.CertX509Exchange {
		return trace.Certificate{Fault: "its encoding is " + c.Encoding.String()}
	}
	x, err := pki.ParseCertificate(c.Data)
	if err != nil {
		return trace.Certificate{Fault: err.Error()}
	}
	d := trace.Certificate{
		Subject: x.Subject.String(), Issuer: x.Issuer.String(), Serial: fmt.Sprintf("%x", x.Serial),
		NotBefore: x.NotBefore.UTC().Format(time.RFC3339), NotAfter: x.NotAfter.UTC().Format(time.RFC3339),
	}
	if x.Key != nil {
		d.Key = fmt.Sprintf("%s, %d bits", x.Key.Algorithm(), x.Key.Bits())
	}
	return d
}

// DescribeAuthority is the name of a certification authority, given in DER.
func DescribeAuthority(der []byte) string {
	if len(der) == 0 {
		return "any authority"
	}
	n, err := pki.ParseNameDER(der)
	if err != nil {
		return "not a name: " + hex(der)
	}
	return n.String()
}

// DescribeID is an identity in words: that of a certificate is a name, given in DER.
func DescribeID(id payload.ID) string {
	if id.IDType == payload.IDDERDN {
		if n, err := pki.ParseNameDER(id.Data); err == nil {
			return n.String()
		}
	}
	return id.String()
}

func certificateFields(c payload.Certificate) []trace.Field {
	d := DescribeCertificate(c)
	var fs []trace.Field
	for _, f := range []trace.Field{
		{Name: "Subject", Value: d.Subject}, {Name: "Issuer", Value: d.Issuer}, {Name: "Serial Number", Value: d.Serial},
		{Name: "Not Before", Value: d.NotBefore}, {Name: "Not After", Value: d.NotAfter}, {Name: "Public Key", Value: d.Key},
	} {
		if f.Value != "" {
			fs = append(fs, f)
		}
	}
	return append(fs, trace.Field{Name: "Certificate Data", Value: hex(c.Data)})
}

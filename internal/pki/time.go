package pki

import (
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// readTime reads UTCTime or GeneralizedTime.
func readTime(in *cryptobyte.String, out *time.Time) bool {
	if in.PeekASN1Tag(asn1.UTCTime) {
		return in.ReadASN1UTCTime(out)
	}
	return in.ReadASN1GeneralizedTime(out)
}

// addTime is UTCTime through 2049 and GeneralizedTime beyond (RFC 5280, Section
// 4.1.2.5); fractions of a second are dropped.
func addTime(b *cryptobyte.Builder, t time.Time) {
	t = t.UTC()
	switch y := t.Year(); {
	case y >= 1950 && y < 2050:
		b.AddASN1UTCTime(t)
	case y > 0 && y <= 9999:
		b.AddASN1GeneralizedTime(t)
	default:
		b.SetError(fmt.Errorf("the year %d does not fit a certificate", y))
	}
}

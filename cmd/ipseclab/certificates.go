package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/ipseclab/ipseclab/scenarios"
)

type certificatesCmd struct {
	What     string `arg:"" name:"file|name" help:"A scenario file, or a name of the catalogue; behind it /CELL, where there are several."`
	Out      string `required:"" placeholder:"FOLDER" help:"The folder to write to; it may exist, and files in it are replaced."`
	Format   string `enum:"pem,der,pkcs7,pkcs12" default:"pem" help:"pem: with private keys and the chain; der: certificates and revocation lists; pkcs7: with the chain; pkcs12: those with private keys, under the password."`
	Password string `help:"With pkcs12."`
	Seed     uint64 `placeholder:"N" help:"Instead of the scenario's."`
}

func (certificatesCmd) Help() string {
	return `Writes a file for each authority and each certificate of a scenario, by their names. They
are those of the run: a capture's CERT payloads have the same octets. A key that a
format cannot hold is told, and the exit code is 2.

Example: ask openssl about the chain of a computer

  ipseclab certificates cert_same_root --out certs
  openssl x509 -in certs/client.pem -noout -text`
}

func (c certificatesCmd) Run(s streams) error {
	if c.Password != "" && c.Format != scenarios.FormatPKCS12 {
		return wrong("certificates: --password is for --format pkcs12")
	}
	scenario, err := single("certificates", c.What)
	if err != nil {
		return err
	}
	files, err := scenarios.ExportCertificates(scenario, c.Seed, c.Format, c.Password)
	if err != nil {
		return status{exitWrong, err}
	}
	if err := os.MkdirAll(c.Out, 0o755); err != nil {
		return err
	}
	for _, f := range files {
		name := filepath.Join(c.Out, f.Name)
		if err := os.WriteFile(name, f.Octets, 0o600); err != nil {
			return err
		}
		fmt.Fprintln(s.out, name)
	}
	return nil
}

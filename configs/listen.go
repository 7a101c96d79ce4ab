package configs

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"canopy/configs/scalar"
)

// Listeners is a list of listeners, which may be written as one address.
type Listeners []Listener

// UnmarshalText takes a single address without TLS.
func (l *Listeners) UnmarshalText(text []byte) error {
	*l = Listeners{{}}
	return (*l)[0].UnmarshalText(text)
}

// Syntax describes the short form.
func (Listeners) Syntax() scalar.Syntax { return Address("").Syntax() }

// Listener is one address on which requests are accepted. Without TLS, the
// address alone will do.
type Listener struct {
	// HOST:PORT to listen on. Without HOST, all interfaces; port 0 is any free
	// one.
	Address Address `yaml:"address" config:"required"`
	// How to speak TLS there. Without it, plain HTTP.
	TLS *TLS `yaml:"tls"`
}

// UnmarshalText takes the address of a listener without TLS.
func (l *Listener) UnmarshalText(text []byte) error { return l.Address.UnmarshalText(text) }

// Syntax describes the short form.
func (Listener) Syntax() scalar.Syntax { return Address("").Syntax() }

// TLS is how a listener proves who it is.
type TLS struct {
	// PEM file of the server's certificate, followed by those of the
	// authorities between it and a root. It is read anew when it changes.
	//
	// Example: /etc/grid-security/hostcert.pem
	Certificate string `yaml:"certificate" config:"required,file"`
	// PEM file of the private key that belongs to the certificate.
	//
	// Example: /etc/grid-security/hostkey.pem
	Key string `yaml:"key" config:"required,file"`
	// PEM file of the authorities whose client certificates are accepted. Only
	// with it are clients asked for a certificate, and may still come without.
	//
	// Example: /etc/canopy/clients-ca.pem
	ClientCA string `yaml:"client_ca" config:"file"`
}

// Address is where to listen: HOST:PORT, HOST being optional.
type Address string

// UnmarshalText checks the form of the address.
func (a *Address) UnmarshalText(text []byte) error {
	host, port, err := net.SplitHostPort(string(text))
	if err != nil {
		if _, err := strconv.ParseUint(string(text), 10, 16); err == nil {
			return fmt.Errorf(`%q is no address; write ":%s"`, text, text)
		}
		return fmt.Errorf(`%q is no address; write HOST:PORT, as in "127.0.0.1:8080" or ":8080"`, text)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%q is no port; write a number from 0 to 65535", port)
	}
	if strings.ContainsAny(host, "/ \t") {
		return errors.New("an address has neither scheme nor path; write HOST:PORT")
	}
	*a = Address(text)
	return nil
}

// Syntax describes an address.
func (Address) Syntax() scalar.Syntax {
	return scalar.Syntax{Name: "address", Pattern: `.*:[0-9]{1,5}`, Example: `"127.0.0.1:8080"`}
}

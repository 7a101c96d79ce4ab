package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"canopy/cmd/canopy/client"
	"canopy/plugins"
	"canopy/plugins/webclient"
)

// passwordVariable holds the password for --user where nobody can be asked.
const passwordVariable = "CANOPY_PASSWORD"

// access is how the client commands reach servers, and who they are to them.
type access struct {
	User         string        `placeholder:"NAME" help:"Log in as NAME. The password is asked for, or taken from $$CANOPY_PASSWORD or --password-file."`
	PasswordFile string        `placeholder:"FILE" help:"A file that holds the password."`
	BearerFile   string        `placeholder:"FILE" help:"A file that holds a token."`
	Cert         string        `placeholder:"FILE" help:"A client certificate in PEM, such as a grid proxy."`
	Key          string        `placeholder:"FILE" help:"Its private key, if it is in another file."`
	CA           string        `name:"ca" placeholder:"PATH" help:"Trust these certificates, a PEM file or a folder of them, instead of the system's."`
	Trust        []string      `placeholder:"URL" help:"Send password or token to this server as well; beyond it and those of the command line, nobody gets them."`
	Timeout      time.Duration `default:"30s" help:"How long a server may be silent."`
}

// open returns a client for the given addresses.
func (a *access) open(w *world, addresses ...client.Address) (*client.Client, error) {
	config := client.Config{TLS: webclient.TLS{CA: a.CA}, Timeout: a.Timeout, Trusted: addresses}
	if a.Timeout <= 0 {
		return nil, usage{errors.New("--timeout must be positive")}
	}
	if a.CA != "" {
		if _, err := os.Stat(a.CA); err != nil {
			return nil, fmt.Errorf("--ca: %w", err)
		}
	}
	for _, raw := range a.Trust {
		t, err := client.Parse(raw)
		if err != nil {
			return nil, usage{fmt.Errorf("--trust: %w", err)}
		}
		config.Trusted = append(config.Trusted, t)
	}
	credentials, err := a.credentials(w)
	if err != nil {
		return nil, err
	}
	config.Credentials = credentials
	if credentials.Basic != nil || credentials.BearerFile != "" {
		for _, t := range config.Trusted {
			if strings.HasPrefix(t.Origin, "http:") {
				w.warn("password or token go to %s without encryption; use https", t.Origin)
			}
		}
	}
	return client.New(config), nil
}

// credentials are those of the flags; at most one kind.
func (a *access) credentials(w *world) (webclient.Credentials, error) {
	var none webclient.Credentials
	kinds := 0
	for _, flag := range []string{a.User, a.BearerFile, a.Cert} {
		if flag != "" {
			kinds++
		}
	}
	switch {
	case kinds > 1:
		return none, usage{errors.New("keep one of --user, --bearer-file and --cert")}
	case a.PasswordFile != "" && a.User == "":
		return none, usage{errors.New("--password-file: whose password? add --user NAME")}
	case a.Key != "" && a.Cert == "":
		return none, usage{errors.New("--key: of which certificate? add --cert FILE")}
	case a.BearerFile != "":
		return webclient.Credentials{BearerFile: a.BearerFile}, readable(a.BearerFile)
	case a.Cert != "":
		err := readable(a.Cert)
		if err == nil && a.Key != "" {
			err = readable(a.Key)
		}
		return webclient.Credentials{X509: &webclient.X509{Certificate: a.Cert, Key: a.Key}}, err
	case a.User == "":
		return none, nil
	case a.PasswordFile != "":
		return webclient.Credentials{Basic: &webclient.Basic{User: a.User, PasswordFile: a.PasswordFile}}, readable(a.PasswordFile)
	}
	password := os.Getenv(passwordVariable)
	if password == "" {
		var err error
		if password, err = ask(w, a.User); err != nil {
			return none, err
		}
	}
	return webclient.Credentials{Basic: &webclient.Basic{User: a.User, Password: webclient.Secret(password)}}, nil
}

// readable reports a file that cannot be opened before anybody is asked.
func readable(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return f.Close()
}

// ask asks the person at the terminal for the password of user.
func ask(w *world, user string) (string, error) {
	in := int(os.Stdin.Fd())
	if !term.IsTerminal(in) {
		return "", usage{errors.New("--user: there is no terminal to ask for the password; set " + passwordVariable + " or give --password-file")}
	}
	fmt.Fprintf(w.stderr, "Password for %s: ", shown(user))
	password, err := term.ReadPassword(in)
	fmt.Fprintln(w.stderr)
	if err != nil {
		return "", fmt.Errorf("the password cannot be read: %w", err)
	}
	if password = bytes.TrimSpace(password); len(password) == 0 {
		return "", errors.New("no password was given")
	}
	return string(password), nil
}

// address reads the URL of an argument.
func address(raw string) (client.Address, error) {
	a, err := client.Parse(raw)
	if err != nil {
		return a, usage{fmt.Errorf("the URL cannot be used: %w", err)}
	}
	return a, nil
}

// failure is the error of a command, with what to do about it.
func (a *access) failure(command string, err error) error {
	known := a.User != "" || a.BearerFile != "" || a.Cert != ""
	var fault *plugins.Error
	if !errors.As(err, &fault) {
		return fmt.Errorf("%s: %w", command, err)
	}
	var advice string
	switch fault.Kind {
	case plugins.Denied:
		advice = "; say who you are with --user, --bearer-file or --cert"
		if known {
			advice = "; ask for the right, or use other credentials"
		}
	case plugins.Unavailable, plugins.Busy, plugins.Timeout, plugins.Faulty:
		if !unknownHost(err) {
			advice = "; try again later"
		}
	}
	return fmt.Errorf("%s: %w%s", command, err, advice)
}

// unknownHost reports whether no host has the name that was to be reached. What
// to do about that is in the error.
func unknownHost(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns) && dns.IsNotFound
}

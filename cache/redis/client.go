package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

const (
	// ioTimeout ends a connection that does not move. Requests have left
	// long before.
	ioTimeout = time.Second
	// poolSize is a connection for each lane, the keeper, and one to spare
	// while a broken one is replaced.
	poolSize = lanes + 2
	// passwordLimit bounds a password file.
	passwordLimit = 4096
)

// options turns a place into go-redis options, of which every one that
// matters is named.
func (p place) options(opt Options) (*goredis.UniversalOptions, error) {
	if p.password != "" && opt.PasswordFile != "" {
		return nil, errors.New("redis: the password is in the URL and in password_file; keep one")
	}
	if opt.PasswordFile != "" {
		if _, err := readPassword(opt.PasswordFile); err != nil {
			return nil, err
		}
	}
	o := &goredis.UniversalOptions{
		Addrs:         p.addrs,
		MasterName:    p.master,
		IsClusterMode: p.cluster,
		DB:            p.db,
		Username:      p.user,
		Password:      p.password,
		ClientName:    "canopy",
		// Nothing of RESP3 is used.
		Protocol:        2,
		DisableIdentity: true,

		// Whether to try again is the keeper's decision.
		MaxRetries:            -1,
		MaxRedirects:          3,
		DialTimeout:           ioTimeout,
		DialerRetries:         1,
		ReadTimeout:           ioTimeout,
		WriteTimeout:          ioTimeout,
		ContextTimeoutEnabled: true,

		PoolSize:        poolSize,
		MinIdleConns:    lanes + 1,
		MaxIdleConns:    poolSize,
		MaxActiveConns:  poolSize,
		PoolTimeout:     ioTimeout,
		ConnMaxIdleTime: -1,
		// The lanes are pipelines already; a second pool for them would
		// only add connections.
		PipelinePoolSize: -1,

		// Only Redis Enterprise sends them; asking costs a round trip and an
		// error elsewhere.
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	if opt.PasswordFile != "" {
		o.CredentialsProviderContext = func(context.Context) (string, string, error) {
			password, err := readPassword(opt.PasswordFile)
			return p.user, password, err
		}
	}
	if opt.SentinelPasswordFile != "" {
		if !p.sentinel {
			return nil, errors.New("redis: a sentinel password, but the URL has no sentinels")
		}
		password, err := readPassword(opt.SentinelPasswordFile)
		if err != nil {
			return nil, err
		}
		o.SentinelPassword = password
	}
	switch {
	case p.tls && opt.TLS != nil:
		o.TLSConfig = opt.TLS.Clone()
	case p.tls:
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	case opt.TLS != nil:
		return nil, errors.New("redis: TLS settings, but the URL does not begin with rediss")
	}
	return o, nil
}

// readPassword reads the first line of a file.
func readPassword(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", fmt.Errorf("redis: password file: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, passwordLimit+1))
	if err != nil {
		return "", fmt.Errorf("redis: password file: %w", err)
	}
	line, _, _ := strings.Cut(string(b), "\n")
	line = strings.TrimSuffix(line, "\r")
	if len(b) > passwordLimit || line == "" {
		return "", fmt.Errorf("redis: password file %s: its first line is empty, or it is larger than %d bytes", file, passwordLimit)
	}
	return line, nil
}

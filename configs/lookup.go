package configs

import "time"

// Cache is how what was learned from endpoints is kept.
type Cache struct {
	// How many entries are kept in this process; the ones used longest ago
	// give way. One takes some hundred bytes.
	Entries int `yaml:"entries"`
	// How long each kind of answer counts as fresh.
	TTL TTL `yaml:"ttl"`
	// How long an expired entry may still be served while it is refreshed or
	// while the endpoints it came from are down. 0s is never.
	Stale time.Duration `yaml:"stale"`
	// A Redis that all front ends share, as a second level behind the one in
	// the process. Its loss costs speed, nothing else. One of
	// redis://[USER:PASSWORD@]HOST[:PORT][/DB],
	// redis+sentinel://HOST[:PORT],HOST[:PORT]/MASTER[/DB] and
	// redis+cluster://HOST[:PORT],HOST[:PORT], or the same with rediss for
	// TLS. In a password, characters other than letters and digits are
	// percent-encoded.
	//
	// Example: redis://127.0.0.1:6379/0
	Redis *Redis `yaml:"redis"`
	// File that holds the password for Redis, instead of one in its URL.
	//
	// Example: /etc/canopy/redis.password
	RedisPasswordFile string `yaml:"redis_password_file"`
}

// TTL is how long answers count as fresh.
type TTL struct {
	// A file or directory that exists, with its replicas.
	Entry time.Duration `yaml:"entry"`
	// The names in a directory.
	Listing time.Duration `yaml:"listing"`
	// A path that no endpoint has. Not longer than entry; 0s asks every time.
	Absent time.Duration `yaml:"absent"`
}

func defaultCache() Cache {
	return Cache{
		Entries: 1_000_000,
		TTL:     TTL{Entry: 10 * time.Minute, Listing: 5 * time.Minute, Absent: 30 * time.Second},
		Stale:   time.Hour,
	}
}

// Lookup is how endpoints are asked.
type Lookup struct {
	// The longest that a client waits for endpoints to say what they have.
	Deadline time.Duration `yaml:"deadline"`
	// After the first replica is found, how long a better one is waited for.
	Grace time.Duration `yaml:"grace"`
	// The answer when no endpoint has a path and at least one that might have
	// it cannot be asked. evidence: 503 if anything suggests that the silent
	// endpoint has it, else 404 marked as incomplete. unavailable: always 503,
	// for archives, where a wrong 404 is worse than a wait. absent: always
	// 404.
	Unknown Unknown `yaml:"unknown"`
	// How long after an endpoint went down it counts as evidence that any
	// path might be on it.
	Doubt time.Duration `yaml:"doubt"`
}

func defaultLookup() Lookup {
	return Lookup{
		Deadline: 10 * time.Second,
		Grace:    50 * time.Millisecond,
		Unknown:  Evidence,
		Doubt:    30 * time.Second,
	}
}

// Log is what is written to standard error.
type Log struct {
	// The least important message that is written.
	Level Level `yaml:"level"`
	// One JSON object a line for programs, or text for people.
	Format Format `yaml:"format"`
}

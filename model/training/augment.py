"""Make one voice sound like many: speed, tempo, vocal tract, equalisation, rooms and noise."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.random import Generator

RATE_HZ = 16000
N_FFT, HOP, N_BINS = 400, 160, 201
WARPS = np.linspace(0.80, 1.25, 19)  # vocal-tract factors of the filter banks


def speed(x: np.ndarray, factor: float) -> np.ndarray:
    """Play faster by ``factor``: pitch, formants and tempo move together. x float32 [N]."""
    return soxr.resample(x, factor, 1.0, quality="LQ") if abs(factor - 1) > 0.005 else x


def tempo(x: np.ndarray, factor: float) -> np.ndarray:
    """Change the tempo alone, by overlap-adding 32 ms grains where they match best."""
    grain, hop, reach = 512, 256, 128
    if abs(factor - 1) < 0.02 or len(x) < 4 * grain:
        return x
    window = np.hanning(grain).astype(np.float32)
    n_out = int((len(x) - grain - 2 * reach) / (hop * factor))
    out = np.zeros(n_out * hop + grain, np.float32)
    position = 0
    for i in range(n_out):
        target = int(i * hop * factor)
        if i:
            natural = x[position + hop : position + hop + grain]
            low = max(0, target - reach)
            region = x[low : target + reach + grain]
            if len(natural) == grain and len(region) > grain:
                position = low + int(np.argmax(np.correlate(region, natural, "valid")))
            else:
                position = min(target, len(x) - grain)
        out[i * hop : i * hop + grain] += window * x[position : position + grain]
    return out


def slaney_bank(warp: float, n_mels: int = 128) -> np.ndarray:
    """Return the mel filter bank [201, n_mels] with its frequency axis stretched by ``warp``."""
    m = np.linspace(0.0, 15 + np.log(8.0) * 27 / np.log(6.4), n_mels + 2)
    hz = np.where(m < 15, 200 * m / 3, 1000 * np.exp(np.log(6.4) / 27 * (m - 15)))
    fft = np.linspace(0, 8000, N_BINS)
    knee = 6800 * min(1.0, warp)  # linear up to the knee, then bent so that 8 kHz stays in place
    read = np.where(fft < knee / warp, fft * warp, 0)
    top = fft >= knee / warp
    read[top] = 8000 - (8000 - knee) / (8000 - knee / warp) * (8000 - fft[top])
    up = (read[:, None] - hz[:-2]) / (hz[1:-1] - hz[:-2])
    down = (hz[2:] - read[:, None]) / (hz[2:] - hz[1:-1])
    bank = np.maximum(0, np.minimum(up, down)) * (2 / (hz[2:] - hz[:-2]))
    return bank.astype(np.float32)


BANKS = np.stack([slaney_bank(w) for w in WARPS])
_HANN = (0.5 * (1 - np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT))).astype(np.float32)


def power_frames(x: np.ndarray, n_frames: int) -> np.ndarray:
    """Return the power spectrogram [n_frames, 201]; frame k is centred on sample 160 k."""
    need = (n_frames - 1) * HOP + N_FFT
    padded = np.zeros(need, np.float32)
    body = x[: need - N_FFT // 2]
    padded[N_FFT // 2 : N_FFT // 2 + len(body)] = body
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP][:n_frames]
    spectrum = np.fft.rfft(frames * _HANN, axis=1)
    return (spectrum.real**2 + spectrum.imag**2).astype(np.float32)


def log_mel(power: np.ndarray, warps: list[tuple[int, int, int]]) -> np.ndarray:
    """Log-mel [T, 128] of a power spectrogram; warps are (first frame, last frame, bank)."""
    mel = power @ BANKS[neutral_bank()]
    for first, last, bank in warps:
        if bank != neutral_bank():
            mel[first:last] = power[first:last] @ BANKS[bank]
    return (np.maximum(np.log10(np.maximum(mel, 1e-10)), -6.5) + 4) / 4


def neutral_bank() -> int:
    """Return the index of the filter bank that leaves the voice as it is."""
    return int(np.argmin(np.abs(WARPS - 1)))


def equaliser(rng: Generator) -> np.ndarray:
    """Draw a smooth power gain [201]: a microphone, and for some a telephone's narrow band."""
    knots = rng.normal(0, 4.0, 6)
    gain_db = np.interp(np.linspace(0, 5, N_BINS), np.arange(6), knots)
    hz = np.linspace(0, 8000, N_BINS)
    draw = rng.random()
    if draw < 0.25:  # a shrill microphone, or a dull one
        gain_db += rng.uniform(-32, 8) * hz / 8000
    elif draw < 0.50:  # a muffled one, behind cloth or a hand
        octaves = np.log2(np.maximum(hz, 1) / rng.uniform(500, 2000))
        gain_db -= rng.uniform(3, 15) * np.clip(octaves, 0, None)
    if rng.random() < 0.35:
        band = [(1200, 3300), (3300, 4200), (4500, 7500)][rng.choice(3, p=(0.15, 0.5, 0.35))]
        edge = rng.uniform(*band)
        gain_db -= np.clip((hz - edge) / 250, 0, 1) * rng.uniform(25, 70)
    if rng.random() < 0.3:
        edge = rng.uniform(80, 350)
        gain_db -= np.clip((edge - hz) / edge, 0, 1) * rng.uniform(10, 40)
    return (10 ** (gain_db / 10)).astype(np.float32)


def room(rng: Generator, x: np.ndarray) -> np.ndarray:
    """Reverberate: a direct path, then noise that decays over 0.1 to 0.6 s."""
    decay_s = rng.uniform(0.1, 0.6)
    n = int(decay_s * RATE_HZ)
    tail = rng.normal(0, 1, n).astype(np.float32) * np.exp(-6.9 * np.arange(n) / n)
    tail[: int(rng.uniform(0.001, 0.012) * RATE_HZ)] = 0
    tail *= 10 ** (rng.uniform(-22, -4) / 20) / np.sqrt(np.sum(tail**2) + 1e-9)
    size = 1 << (len(x) + n - 1).bit_length()
    wet = np.fft.irfft(np.fft.rfft(x, size) * np.fft.rfft(tail, size), size)
    return (x + wet[: len(x)]).astype(np.float32)


def coloured_noise(rng: Generator, n: int) -> np.ndarray:
    """Draw steady noise between white and brown, at unit level. float32 [n]."""
    white = rng.normal(0, 1, 1 << (n - 1).bit_length())
    gain = np.zeros(len(white) // 2 + 1)
    gain[1:] = np.arange(1, len(gain)) ** -rng.uniform(0, 1.0)
    return _levelled(_shaped(white, gain)[:n]).astype(np.float32)


def rumble(rng: Generator, n: int) -> np.ndarray:
    """Draw what a microphone without a low cut adds: mains hum, or handling, wind and traffic.

    float32 [n], at unit level, almost all of it below 200 Hz.
    """
    if rng.random() < 0.3:
        base = rng.choice((50.0, 60.0)) * np.arange(n) / RATE_HZ
        waves = [rng.uniform(0.05, 1) / k * np.sin(2 * np.pi * k * base) for k in (1, 2, 3, 4)]
        hum = np.sum(waves, axis=0)
    else:
        white = rng.normal(0, 1, 1 << (n - 1).bit_length())
        hz = np.fft.rfftfreq(len(white), 1 / RATE_HZ)
        gain = 1 / (1 + (hz / rng.uniform(30, 120)) ** 2)
        gain[0] = 0
        hum = _shaped(white, gain)[:n]
    return _levelled(hum).astype(np.float32)


def bursts(rng: Generator, n: int) -> np.ndarray:
    """Draw sudden sounds that are no speech: knocks, hisses, cries and whistles. float32 [n]."""
    out = np.zeros(n, np.float32)
    at = int(rng.uniform(0, 0.3) * RATE_HZ)
    while at < n:
        m = int(np.exp(rng.uniform(np.log(0.03), np.log(0.8))) * RATE_HZ)
        sound = _hiss(rng, m) if rng.random() < 0.6 else _cry(rng, m)
        rise = max(1, int(m * rng.uniform(0.01, 0.4)))
        sound *= np.minimum(1, np.arange(m) / rise) * np.exp(-rng.uniform(1, 6) * np.arange(m) / m)
        end = min(n, at + m)
        out[at:end] += sound[: end - at] * 10 ** (rng.uniform(-12, 0) / 20)
        at = end + int(rng.uniform(0.05, 1.0) * RATE_HZ)
    return out


def _hiss(rng: Generator, n: int) -> np.ndarray:
    """Draw noise of one band, at unit level."""
    hz = np.fft.rfftfreq(n, 1 / RATE_HZ)
    centre, octaves = np.exp(rng.uniform(np.log(100), np.log(6000))), rng.uniform(0.2, 2)
    band = np.exp(-0.5 * (np.log2(np.maximum(hz, 1) / centre) / octaves) ** 2)
    return _levelled(_shaped(rng.normal(0, 1, n), band))


def _cry(rng: Generator, n: int) -> np.ndarray:
    """Draw a tone whose pitch glides and trembles, with some of its harmonics, at unit level."""
    t = np.arange(n) / RATE_HZ
    glide = np.interp(t, np.linspace(0, n / RATE_HZ, 4), rng.uniform(0.7, 1.5, 4))
    tremble = 1 + rng.uniform(0, 0.05) * np.sin(2 * np.pi * rng.uniform(3, 12) * t)
    pitch = np.exp(rng.uniform(np.log(250), np.log(1500))) * glide * tremble
    phase = 2 * np.pi * np.cumsum(pitch) / RATE_HZ
    tones = np.arange(1, 1 + rng.integers(1, 9))
    weights = rng.uniform(0, 1, len(tones)) * tones ** -rng.uniform(0, 1.5)
    return _levelled(weights @ (np.sin(tones[:, None] * phase) * (tones[:, None] * pitch < 7600)))


def _shaped(white: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """Weigh each frequency of a noise [n] by its gain [n // 2 + 1]."""
    return np.fft.irfft(np.fft.rfft(white) * gain, len(white))


def _levelled(x: np.ndarray) -> np.ndarray:
    return np.asarray(x / (x.std() + 1e-9))


def mask(rng: Generator, mel: np.ndarray, first: int) -> None:
    """Weaken a few bands for a while, and a few moments in all bands. mel [T, 128], in place.

    first: frame before which nothing is masked.
    """
    for _ in range(int(rng.integers(0, 4))):
        low, width = int(rng.integers(0, 118)), int(rng.integers(2, 21))
        start = int(rng.integers(first, len(mel)))
        mel[start : start + int(rng.integers(100, 600)), low : low + width] -= 0.5
    for _ in range(int(rng.integers(0, 9))):
        start = int(rng.integers(first, len(mel)))
        mel[start : start + int(rng.integers(3, 11))] -= 0.6
    np.maximum(mel, -0.625, out=mel)
